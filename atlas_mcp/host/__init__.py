"""The reference host: a client that orchestrates."""
