"""Everything a caller of atlas-mcp can be told went wrong, split by the cure.

AtlasError
├── BadRequestError        the arguments are wrong; the message says which and how
│   └── NotFoundError      nothing goes by that id
├── BudgetError            a cap would be passed; the message says what is left
├── SetupError             settings, roster or weights; the message names the cure
└── StoreError             the evidence file
    ├── CorruptStoreError  it is damaged
    └── NewerStoreError    a newer atlas-mcp wrote it

The text of each is fit for a model and for a person: cause first, next step after.
"""

from __future__ import annotations


class AtlasError(Exception):
    """Something a caller can act on."""


class BadRequestError(AtlasError):
    """The arguments are wrong."""


class NotFoundError(BadRequestError):
    """Nothing goes by that id."""


class BudgetError(AtlasError):
    """A cap would be passed; nothing was dispatched."""


class SetupError(AtlasError):
    """Settings, roster or weights stand in the way."""


class StoreError(AtlasError):
    """The evidence file stands in the way."""


class CorruptStoreError(StoreError):
    """The evidence file is damaged."""


class NewerStoreError(StoreError):
    """A newer atlas-mcp wrote the evidence file."""
