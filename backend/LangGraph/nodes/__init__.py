"""One node a file, each named by its verb."""
