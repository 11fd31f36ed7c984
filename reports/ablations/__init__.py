"""The ablations' section of the report, and their plots and tables as files."""
