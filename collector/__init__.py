"""Turn request logs into ledger rows: formats, attribution, segments, counts."""
