"""The throughput section of the report, from the stored cells of the sweep."""
