"""Benchmarks on Inspect AI: suites, the methods compared on them, and the report.

Inspect has the samples, epochs, logs, resuming and the viewer; here is what it runs. A method
reaches solvers only through `explore` on a server, over MCP.
"""
