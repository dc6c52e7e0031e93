"""The values, errors and contracts that hold the project together."""
