"""The product: configuration, jobs, schedule and the command line over all other packages."""
