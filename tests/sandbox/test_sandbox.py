"""Programs that want out of the sandbox, and that want more than their share."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import WAIT

from atlas_mcp.core.errors import SetupError
from atlas_mcp.sandbox.execution import execute
from atlas_mcp.sandbox.fence import Bubblewrap, Fence, Locks, bubblewrap
from atlas_mcp.sandbox.isolation import climbed, first_that_holds, run
from atlas_mcp.sandbox.program import MIB, Ended, Limits, Program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fences are Linux's")

FENCES = [one for one in (Locks(), bubblewrap()) if one is not None and climbed(one) is None]

REFUSED = """
def refused(action, *arguments):
    try:
        action(*arguments)
    except OSError as error:
        return type(error).__name__
    return "done"
"""


@pytest.fixture(params=FENCES, ids=lambda one: type(one).__name__)
def fence(request: pytest.FixtureRequest) -> Fence:
    chosen: Fence = request.param
    return chosen


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a program did, its process and its folder are gone afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert not list(tmp_path.glob("atlas-sandbox-*"))
    assert not processes_of(tmp_path)


def processes_of(folder: Path) -> list[str]:
    """The command lines that name the folder."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = one.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(folder / "atlas-sandbox-").encode() in line:
            found.append(line.decode(errors="replace"))
    return found


def said(ended: Ended) -> object:
    assert (ended.why, ended.status) == ("exited", 0), ended
    return json.loads(ended.out)


def test_a_fence_holds_on_this_machine() -> None:
    assert FENCES, climbed(Locks())


def test_a_program_is_given_its_input_arguments_and_files(fence: Fence) -> None:
    program = Program(
        source="import json, sys\n"
        "print(json.dumps([sys.argv[1:], sys.stdin.read(), open('data.txt').read(), __name__]))\n"
        "print('aside', file=sys.stderr)\n"
        "sys.exit(3)",
        argv=("one", "two"),
        stdin="grüß".encode(),
        files={"data.txt": b"seven"},
    )
    ended = execute(program, Limits(), fence)
    assert json.loads(ended.out) == [["one", "two"], "grüß", "seven", "__main__"]
    assert (ended.why, ended.status, ended.err) == ("exited", 3, b"aside\n")


def test_the_standard_library_and_threads_work(fence: Fence) -> None:
    source = """
import decimal, fractions, heapq, json, random, re, sqlite3, threading, zoneinfo
total = []
workers = [threading.Thread(target=total.append, args=(n,)) for n in range(4)]
for one in workers: one.start()
for one in workers: one.join()
print(json.dumps(sorted(total)))
"""
    assert said(execute(Program(source=source), Limits(), fence)) == [0, 1, 2, 3]


def test_there_is_no_network(fence: Fence, tmp_path: Path) -> None:
    local = tmp_path / "door"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        unix.bind(str(local))
        unix.listen()
        source = f"""{REFUSED}
import json, socket
def tcp(): socket.create_connection(("127.0.0.1", {tcp.getsockname()[1]}), 2)
def udp():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", {udp.getsockname()!r})
def unix(): socket.socket(socket.AF_UNIX).connect({str(local)!r})
print(json.dumps([refused(one) for one in (tcp, unix)]))
refused(udp)
"""
        found = said(execute(Program(source=source), Limits(), fence))
        assert isinstance(found, list)
        assert "done" not in found
        with pytest.raises(BlockingIOError):
            udp.recv(1)


def test_no_other_file_can_be_read(fence: Fence, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("sk-secret")
    places = [str(secret), "/etc/passwd", "/proc/self/environ", f"/proc/{os.getpid()}/environ"]
    source = (
        f"{REFUSED}\nimport json\nprint(json.dumps([refused(open, one) for one in {places!r}]))"
    )
    found = said(execute(Program(source=source), Limits(), fence))
    assert isinstance(found, list)
    assert set(found) <= {"PermissionError", "FileNotFoundError"}


def test_the_environment_holds_none_of_our_keys(
    fence: Fence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    source = "import json, os\nprint(json.dumps(dict(os.environ)))"
    found = said(execute(Program(source=source), Limits(), fence))
    assert isinstance(found, dict)
    assert "sk-secret" not in found.values()
    assert "/root" not in str(found)


def test_nothing_can_be_written_unless_it_was_asked_for(fence: Fence, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("as it was")
    outside.chmod(0o600)
    source = f"""{REFUSED}
import json, os
def make(path): open(path, "w").close()
print(json.dumps([
    refused(make, "mine.txt"), refused(make, {str(outside)!r}),
    refused(make, {str(tmp_path / "new")!r}),
    refused(os.unlink, {str(outside)!r}), refused(os.truncate, {str(outside)!r}, 0),
    refused(os.chmod, {str(outside)!r}, 0o777), refused(os.utime, {str(outside)!r}, (0, 0)),
    refused(os.rename, {str(outside)!r}, {str(tmp_path / "moved")!r}),
]))
"""
    tight = said(execute(Program(source=source), Limits(), fence))
    loose = said(execute(Program(source=source, writes=True), Limits(), fence))
    assert isinstance(tight, list)
    assert isinstance(loose, list)
    assert "done" not in tight
    assert loose[0] == "done"
    assert "done" not in loose[1:]
    assert (outside.read_text(), outside.stat().st_mode & 0o777) == ("as it was", 0o600)
    assert outside.stat().st_mtime > 0
    assert {one.name for one in tmp_path.iterdir()} == {"outside.txt"}


def test_no_further_process_can_be_started(fence: Fence) -> None:
    source = f"""{REFUSED}
import json, os, subprocess
def bomb():
    while os.fork() or True: pass
print(json.dumps([refused(bomb), refused(subprocess.run, ["/usr/bin/true"])]))
"""
    assert said(execute(Program(source=source), Limits(), fence)) == ["PermissionError"] * 2


def test_no_other_process_can_be_signalled_or_traced(fence: Fence) -> None:
    source = f"""{REFUSED}
import ctypes, json, os, signal
ptrace = ctypes.CDLL(None).ptrace
print(json.dumps([refused(os.kill, {os.getpid()}, 9), refused(os.kill, os.getppid(), 9),
                  refused(os.kill, -1, 9), ptrace(16, {os.getpid()}, 0, 0)]))
"""
    found = said(execute(Program(source=source), Limits(), fence))
    assert isinstance(found, list)
    assert "done" not in found
    assert found[-1] == -1


def test_limits_cannot_be_raised_from_inside(fence: Fence) -> None:
    source = f"""{REFUSED}
import json, resource
most = resource.RLIM_INFINITY
def more(): resource.setrlimit(resource.RLIMIT_AS, (most, most))
try:
    found = refused(more)
except ValueError:
    found = "ValueError"
print(json.dumps(found))
"""
    assert said(execute(Program(source=source), Limits(), fence)) != "done"


@pytest.mark.parametrize(
    ("source", "limits", "why"),
    [
        ("import time; time.sleep(60)", Limits(seconds=0.5), "time"),
        ("import os, time; os.close(1); os.close(2); time.sleep(60)", Limits(seconds=0.5), "time"),
        ("while True: pass", Limits(processor_seconds=1), "processor"),
        ("while True: print('x' * 1000)", Limits(output=MIB), "output"),
        ("import os\nwhile True: os.write(2, b'x' * 1000)", Limits(output=MIB), "output"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", Limits(), "signalled"),
    ],
)
def test_a_program_that_takes_too_much_is_stopped(
    fence: Fence, source: str, limits: Limits, why: str
) -> None:
    began = time.monotonic()
    ended = execute(Program(source=source), limits, fence)
    assert ended.why == why
    assert len(ended.out) <= limits.output
    assert time.monotonic() - began < WAIT


def test_memory_and_files_have_an_end(fence: Fence) -> None:
    source = """
import json
found = []
try:
    bytearray(512 * 2**20)
except MemoryError:
    found.append("memory")
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with open("large", "wb", buffering=0) as file:
        for _ in range(8): assert file.write(b"x" * 2**20) == 2**20
except OSError:
    found.append("file")
print(json.dumps(found))
"""
    limits = Limits(memory=256 * MIB, output=4 * MIB)
    assert said(execute(Program(source=source, writes=True), limits, fence)) == ["memory", "file"]


def test_a_listener_stops_a_program_when_it_has_heard_enough(fence: Fence) -> None:
    source = "import time\nfor n in range(100): print(n, flush=True)\ntime.sleep(60)"
    ended = execute(Program(source=source), Limits(), fence, heard=lambda chunk: b"99" not in chunk)
    assert (ended.why, ended.status) == ("stopped", None)
    assert b"7\n" in ended.out


def test_a_program_dies_with_whoever_ran_it(tmp_path: Path) -> None:
    (tmp_path / "atlas-sandbox-").mkdir()
    source = (
        "from atlas_mcp.sandbox.isolation import run, Program\nrun(Program(source='while 1: pass'))"
    )
    runner = subprocess.Popen([sys.executable, "-c", source], env={"TMPDIR": str(tmp_path)})
    try:
        assert waited(lambda: any(one.endswith("}\0") for one in processes_of(tmp_path)))
        runner.send_signal(signal.SIGKILL)
        assert waited(lambda: not processes_of(tmp_path))
    finally:
        runner.kill()
        runner.wait(WAIT)
    for shell in tmp_path.glob("atlas-sandbox-*"):
        for file in shell.iterdir():
            file.unlink()
        shell.rmdir()


def waited(condition: object) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_without_a_fence_nothing_is_run_and_the_cure_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"reached read and write and connect.*apt install"):
        first_that_holds([Locks(needed=())])
    with pytest.raises(SetupError, match="bubblewrap: a program could not be locked in"):
        first_that_holds([Bubblewrap("/bin/false")])
    with pytest.raises(SetupError, match="cannot be started"):
        first_that_holds([Bubblewrap(str(tmp_path / "missing"))])


def test_a_fence_that_hangs_is_stopped_at_the_time_limit() -> None:
    class Hanging:
        def command(self, program: Program, folder: Path, limits: Limits, ready: int) -> list[str]:
            return ["/bin/sleep", str(WAIT)]

    began = time.monotonic()
    assert execute(Program(source=""), Limits(seconds=0.2), Hanging()).why == "time"
    assert time.monotonic() - began < WAIT / 2


def test_rlimits_alone_are_used_when_they_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "readable.txt"
    file.write_text("read")
    source = f"print(open({str(file)!r}).read())"
    assert run(Program(source=source), isolation="limits").out == b"read\n"
    ended = run(Program(source="while True: pass"), Limits(processor_seconds=1), isolation="limits")
    assert ended.why == "processor"
