"""The final answer of an orchestrating model: the form it is asked for, and how it is read."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from solvers.answer import KINDS, UnreadableAnswer, as_probability, first_object
from solvers.types import AnswerKind

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "because": {"type": "string"},
        "evidence_ids": {"type": "array", "items": {"type": "string"}},
        "answer": {"type": "string"},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "abstain": {"type": "boolean"},
    },
    "required": ["because", "evidence_ids", "answer", "confidence", "abstain"],
    "additionalProperties": False,
}
"""The final answer as a JSON schema; the reasons come first, so that the answer follows them."""

_FORM = """\
one JSON object and nothing else. Its keys, in this order:
- "because", a string: in a few sentences, what in the evidence decides
- "evidence_ids", an array of strings: the ids of the evidence that the answer rests on
- "answer", a string with only the result itself: {kind}; empty when you abstain
- "confidence", a number from 0 to 1: how probable it is that the answer is right
- "abstain", true when the evidence supports no answer, else false"""


def form(kind: AnswerKind) -> str:
    """The words that ask for a final answer."""
    return _FORM.format(kind=KINDS[kind])


def _text(said: object) -> str:
    return str(said).strip() if isinstance(said, str | int | float) else ""


def _texts(said: object) -> tuple[str, ...]:
    return tuple(one for one in said if isinstance(one, str)) if isinstance(said, list) else ()


class Final(BaseModel):
    """A final answer as it was read. Only its answer must be right; the rest may be missing."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    answer: Annotated[str, BeforeValidator(_text)] = ""
    because: Annotated[str, BeforeValidator(_text)] = ""
    evidence_ids: Annotated[tuple[str, ...], BeforeValidator(_texts)] = ()
    confidence: Annotated[float | None, BeforeValidator(as_probability)] = None
    abstain: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Final:
        if not self.answer and not self.abstain:
            raise ValueError("the answer is empty: give one, or set abstain to true")
        return self


def read_final(text: str) -> Final:
    """Read the final answer in a reply, fenced or with words around it or not.

    A reply may quote evidence, which has an answer too; only a final answer says because.

    Raises:
        UnreadableAnswer: there is none.
    """
    try:
        return Final.model_validate(_object(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the object"
        raise UnreadableAnswer(f"{where}: {first['msg']}") from error


def _object(text: str) -> dict[str, Any]:
    for key in ("because", "abstain"):
        try:
            return first_object(text, key)
        except UnreadableAnswer:
            continue
    return first_object(text)
