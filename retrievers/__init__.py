"""Everything that can rank candidates for a query."""
