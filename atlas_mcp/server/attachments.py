"""Files that belong to a problem: read from an allowed folder or from a data URI, and checked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from stat import S_ISREG

import anyio.to_thread

from atlas_mcp.core.errors import BadRequestError
from solvers.types import Attachment

MAX_BYTES = 5_000_000
"""The most that one attachment may hold."""

MAX_TOGETHER = 20_000_000
"""The most that all attachments of a problem may hold."""

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


async def load_attachments(named: Sequence[str], folder: Path | None) -> tuple[Attachment, ...]:
    """Read attachments given as `data:` URIs or as paths inside `folder`.

    Raises:
        BadRequestError: outside the folder, missing, too large, or not an image.
    """
    return await anyio.to_thread.run_sync(_loaded, named, partial(_allowed, folder=folder))


def read_attachments(named: Sequence[str]) -> tuple[Attachment, ...]:
    """Read attachments given as `data:` URIs or as paths, wherever they lie. Off the loop.

    Raises:
        BadRequestError: missing, too large, or not an image.
    """
    return _loaded(named, Path)


def _loaded(named: Sequence[str], find: Callable[[str], Path]) -> tuple[Attachment, ...]:
    files = tuple(_load(one, find) for one in named)
    size = sum(len(one.data) for one in files)
    if size > MAX_TOGETHER:
        raise BadRequestError(
            f"attachments too large: {size} bytes together, at most {MAX_TOGETHER}"
        )
    return files


def _load(named: str, find: Callable[[str], Path]) -> Attachment:
    if named.startswith("data:"):
        return _checked(_from_uri(named), named)
    path = find(named)
    return replace(_checked(_read(path), path.name), name=path.name)


def _checked(data: bytes, named: str) -> Attachment:
    if len(data) > MAX_BYTES:
        raise BadRequestError(f"attachment too large: {len(data)} bytes, at most {MAX_BYTES}")
    media_type = _media_type(data)
    if media_type is None:
        raise BadRequestError(f"attachment {named[:60]!r} is not a PNG, JPEG, GIF or WebP image")
    return Attachment(media_type=media_type, data=data)


def _allowed(named: str, folder: Path | None) -> Path:
    if folder is None:
        raise BadRequestError(
            "attachments by path are off: have the user set ATLAS_ATTACHMENTS_FOLDER, "
            "or pass a data: URI"
        )
    if "\x00" in named:
        raise BadRequestError("the path of an attachment holds a null character")
    path = (folder / named).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise BadRequestError(
            f"attachment {named[:200]!r} lies outside the allowed folder {folder}"
        )
    return path


def _read(path: Path) -> bytes:
    try:
        found = path.stat()
        if not S_ISREG(found.st_mode):  # a pipe or a device may have no end
            raise BadRequestError(f"attachment {path.name} is not a file")
        if found.st_size > MAX_BYTES:
            raise BadRequestError(f"attachment {path.name} is larger than {MAX_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise BadRequestError(f"attachment {path.name} cannot be read: {error.strerror}") from error


def _from_uri(uri: str) -> bytes:
    head, comma, body = uri.partition(",")
    if not comma or not head.endswith(";base64"):
        raise BadRequestError("an attachment URI must look like data:image/png;base64,…")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequestError(f"the attachment's base64 cannot be read: {error}") from error


def _media_type(data: bytes) -> str | None:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for mark, kind in _SIGNATURES.items() if data.startswith(mark)), None)
