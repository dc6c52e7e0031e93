"""Evidence and conclusions as JSON text and back, with the digest that guards them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from atlas_mcp.core.types import Call, Choice, Conclusion, Evidence, Fault, digest
from solvers.types import Usage

CODEC_VERSION = 1


def encode_evidence(evidence: Evidence) -> str:
    return _encode(asdict(evidence))


def decode_evidence(body: str) -> Evidence:
    """Turn stored text back into the value it came from.

    Raises:
        ValueError: the text is not what `encode_evidence` writes.
    """
    found = _decode(body)
    try:
        call = found.pop("call")
        fault = found.pop("fault")
        return Evidence(
            call=Call(**{**call, "choice": Choice(**call["choice"])}),
            fault=None if fault is None else Fault(**fault),
            usage=Usage(**found.pop("usage")),
            **found,
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"stored evidence cannot be read: {error}") from error


def encode_conclusion(conclusion: Conclusion) -> str:
    return _encode(asdict(conclusion))


def decode_conclusion(body: str) -> Conclusion:
    found = _decode(body)
    try:
        return Conclusion(**{**found, "evidence_ids": tuple(found["evidence_ids"])})
    except (KeyError, TypeError) as error:
        raise ValueError(f"a stored conclusion cannot be read: {error}") from error


def body_digest(body: str) -> str:
    return "sha256:" + digest(body)


def _encode(found: dict[str, Any]) -> str:
    # ASCII only: a lone surrogate in a solver's text must not stop it from being stored.
    return json.dumps({"version": CODEC_VERSION, **found}, separators=(",", ":"))


def _decode(body: str) -> dict[str, Any]:
    found = json.loads(body)
    if not isinstance(found, dict) or found.pop("version", None) != CODEC_VERSION:
        raise ValueError("unknown codec version")
    return found
