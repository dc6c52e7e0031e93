"""`python -m atlas_mcp` is the command `atlas-mcp`."""

from atlas_mcp.cli.main import main

raise SystemExit(main())
