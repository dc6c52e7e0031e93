"""Images are known by their content, and checked before anything is sent."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.errors import FixRequestError
from solvers.facts import facts_of
from solvers.images import check_images, data_url, media_type
from solvers.types import Attachment

HEADS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/gif": b"GIF89a",
    "image/webp": b"RIFF\x00\x00\x00\x00WEBP",
}
FACTS = facts_of("anthropic", "claude-opus-5-5")


def attached(data: bytes, name: str = "") -> Attachment:
    return Attachment(media_type="image/png", data=data, name=name)


@given(st.sampled_from(sorted(HEADS)), st.binary(max_size=50))
def test_an_image_is_known_by_its_first_bytes(kind: str, rest: bytes) -> None:
    image = attached(HEADS[kind] + rest)
    assert media_type(image.data) == kind
    check_images([image], FACTS)
    head, data = data_url(image).split(",")
    assert head == f"data:{kind};base64"
    assert b64decode(data) == image.data


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7", b"RIFF\x00\x00\x00\x00WAVE", b"<svg/>"])
def test_what_is_no_image_is_refused_whatever_it_is_called(data: bytes) -> None:
    with pytest.raises(FixRequestError, match=r"cat\.png is no PNG, JPEG, GIF or WebP"):
        check_images([attached(data, "cat.png")], FACTS)


def test_too_large_and_too_many_are_refused() -> None:
    png = HEADS["image/png"]
    with pytest.raises(FixRequestError, match=r"at most 5,000,000 per image"):
        check_images([attached(png + bytes(5_000_000))], FACTS)
    with pytest.raises(FixRequestError, match="at most 20 images, not 21"):
        check_images([attached(png)] * 21, FACTS)


def test_a_model_that_may_see_or_not_is_tried() -> None:
    check_images([attached(HEADS["image/gif"])], facts_of("chat", "local"))
