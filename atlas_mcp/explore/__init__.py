"""The service behind the tools: dispatch, budget, jobs and ledger."""
