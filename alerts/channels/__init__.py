"""One channel a file, and the literal registry of their builders."""
