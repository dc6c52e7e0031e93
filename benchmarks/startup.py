"""How long until a host's `initialize` is answered, against a bare SDK server in the same run.

    python benchmarks/startup.py [ROUNDS]

The two are started in turn, so that both meet the same noise; what counts is the ratio of
the medians. `sys.executable` must have atlas-mcp installed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

BARE = "from mcp.server import MCPServer; MCPServer('bare').run()"

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "benchmark", "version": "1"},
    },
}


def seconds_to_initialize(command: list[str], env: dict[str, str]) -> float:
    """Wall seconds from spawning `command` to its reply to `initialize`."""
    began = time.perf_counter()
    with subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write((json.dumps(INITIALIZE) + "\n").encode())
        process.stdin.flush()
        reply = json.loads(process.stdout.readline())
        took = time.perf_counter() - began
        process.stdin.close()
        process.wait(timeout=20)
    assert "result" in reply, reply
    return took


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    commands = {
        "bare SDK server": [sys.executable, "-c", BARE],
        "atlas-mcp serve": [sys.executable, "-m", "atlas_mcp", "serve"],
    }
    took: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "ATLAS_STORE": os.path.join(folder, "evidence.db")}
        for number in range(rounds + 1):
            for name, command in commands.items():
                seconds = seconds_to_initialize(command, env)
                if number:  # the first round fills the file cache
                    took[name].append(seconds)
    for name, values in took.items():
        middle, least = statistics.median(values), min(values)
        print(f"{name:<18} median {middle:.3f} s   least {least:.3f} s   n = {len(values)}")
    bare, ours = (statistics.median(values) for values in took.values())
    print(f"ratio of the medians: {ours / bare:.2f}")


if __name__ == "__main__":
    main()
