"""Images as models take them: known by their content, not by their name, and not too large."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from solvers.errors import FixRequestError
from solvers.facts import Facts
from solvers.types import Attachment


def media_type(data: bytes) -> str | None:
    """The image format that the first bytes show, or None."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def check_images(attachments: Sequence[Attachment], facts: Facts) -> None:
    """Refuse what the model cannot be shown, before anything is sent.

    Raises:
        FixRequestError: the model reads text only, or an attachment is no image, or is too
            large, or there are too many.
    """
    if attachments and facts.images is False:
        raise FixRequestError(f"{facts.model} reads text only; this problem has attachments")
    if len(attachments) > facts.image_count:
        raise FixRequestError(
            f"{facts.model} takes at most {facts.image_count} images, not {len(attachments)}"
        )
    for one in attachments:
        _check(one, facts)


def _check(attachment: Attachment, facts: Facts) -> None:
    name = attachment.name or "an attachment"
    if media_type(attachment.data) is None:
        raise FixRequestError(
            f"{name} is no PNG, JPEG, GIF or WebP image; {facts.model} takes no other attachments"
        )
    if len(attachment.data) > facts.image_bytes:
        raise FixRequestError(
            f"{name} has {len(attachment.data):,} bytes; {facts.model} takes at most "
            f"{facts.image_bytes:,} per image"
        )


def encoded(attachment: Attachment) -> str:
    return base64.b64encode(attachment.data).decode("ascii")


def data_url(attachment: Attachment) -> str:
    return f"data:{media_type(attachment.data)};base64,{encoded(attachment)}"
