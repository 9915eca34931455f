"""What was spent: record types, schema, prices and the DuckDB file. Imports none of our other packages."""
