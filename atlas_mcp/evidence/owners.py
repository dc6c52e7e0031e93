"""Which process made a call, and whether it still runs.

A process id alone proves nothing: ids are used again, and a container has ids of its own.
So an owner is named by everything that tells processes apart, as far as the system says.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process, as others on the same store can look it up. Empty parts are unknown.

    `boot` names the run of the machine since it started, `namespace` the set of process
    ids that `pid` is from, `started` the moment at which the process began.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: str


def this_process() -> Owner:
    """The owner that stands for the running process."""
    return Owner(
        host=socket.gethostname(),
        boot=_boot(),
        namespace=_namespace(),
        pid=os.getpid(),
        started=_state(os.getpid())[1],
    )


def is_running(owner: Owner) -> bool | None:
    """Whether the process still runs; None where that cannot be seen from here."""
    here = this_process()
    if owner.host != here.host or (not owner.boot and here.boot):
        return None
    if owner.boot != here.boot:
        return False  # the machine has been started anew since
    if owner.namespace != here.namespace or os.name == "nt":
        return None
    if not _exists(owner.pid):
        return False
    state, started = _state(owner.pid)
    if not started:
        return None
    return state != "Z" and started == owner.started


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _boot() -> str:
    return _read("/proc/sys/kernel/random/boot_id").strip()


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _state(pid: int) -> tuple[str, str]:
    """The state letter of a process and when it began, in ticks since the machine started."""
    # The name of the program stands in parentheses and may itself hold some.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (fields[0], fields[19]) if len(fields) > 19 else ("", "")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
