"""The throughput sweep: a row under load, one process that asks and one that answers."""
