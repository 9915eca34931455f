"""Answer questions about frames: frames in, frames and findings out; no I/O, no clock."""
