"""The suites. Each module offers `load(argument, solver, grading) -> Suite`."""
