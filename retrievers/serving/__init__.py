"""What answers texts under load, over candidates that were drawn: the throughput sweep's rows."""
