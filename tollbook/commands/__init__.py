"""The commands, one file a subject: options in, one job, text or JSON out."""
