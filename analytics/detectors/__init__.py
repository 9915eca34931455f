"""Look for what is wrong in the books, one detector a file."""
