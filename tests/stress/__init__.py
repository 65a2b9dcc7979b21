"""The long form of the fault tests: `python -m tests.stress`, or `make stress`."""
