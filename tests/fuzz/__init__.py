"""Hostile input for everything that reads: `make fuzz`, and a short run of the same with every test run."""
