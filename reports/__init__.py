"""Print frames as pages, text and files. Nothing here computes a figure."""
