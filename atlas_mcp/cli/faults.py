"""Which exceptions are told in one line, and how. All others are ours to mend and keep a traceback.

The one place where the command line translates what the operating system refuses.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from atlas_mcp.core.cleaning import one_line
from atlas_mcp.core.errors import AtlasError, BadRequestError, StoreError
from solvers.errors import FixSetupError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_CURES = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "name a place that you may write to"),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room, or write elsewhere"),
    **dict.fromkeys(
        (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP),
        "name another file or folder",
    ),
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), "raise the limit of open files (ulimit -n)"),
    errno.EIO: "the disk or the terminal failed: write elsewhere",
}
"""What the operating system refuses for a reason that lies with the user, and the cure."""

_STORE_CURE = "name a file in a folder that you may write to, with --store or ATLAS_STORE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the user is told, and the exit status. No line where there is nothing to mend."""

    line: str
    status: int


def explain(error: BaseException) -> Told | None:
    """Say in one line what went wrong, or None when it is a bug of ours.

    A group, as a task group raises around its errors, is told when all its errors can be.
    """
    told = [_explain_one(one) for one in leaves(error)]
    if None in told:
        return None
    return max((one for one in told if one), key=lambda one: one.status)


def _explain_one(error: BaseException) -> Told | None:
    if isinstance(error, KeyboardInterrupt):
        line = "interrupted; what was found is kept"
        return Told(line=line, status=EXIT_INTERRUPTED)
    if isinstance(error, BadRequestError):
        return Told(line=one_line(str(error)), status=EXIT_USAGE)
    if isinstance(error, StoreError) and _unreachable(error.__cause__):
        return Told(line=one_line(f"{error}; {_STORE_CURE}"), status=EXIT_FAILED)
    if isinstance(error, AtlasError | FixSetupError):
        return Told(line=one_line(str(error)), status=EXIT_FAILED)
    if isinstance(error, BrokenPipeError):  # who was reading has read enough
        return Told(line="", status=EXIT_FAILED)
    if isinstance(error, OSError) and error.errno in _CURES:
        where = error.filename or "the output"
        line = f"{where}: {error.strerror}; {_CURES[error.errno]}"
        return Told(line=one_line(line), status=EXIT_FAILED)
    return None


def _unreachable(cause: BaseException | None) -> bool:
    """Whether a store fails for where it lies: no such folder, or one that is read-only."""
    name = getattr(cause, "sqlite_errorname", "")
    return isinstance(cause, OSError) or name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN"))


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, however deep, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from leaves(one)
    else:
        yield error
