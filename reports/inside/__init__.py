"""The inside of retrievers that write identifiers, from what is stored beside their cells."""
