"""Names that fit a pattern with `*` and `?`."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["is_plain", "matching", "regex"]


def is_plain(pattern: str) -> bool:
    """Whether it is just a name."""
    return not any(sign in pattern for sign in "*?[")


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """Those that fit, sorted, each once."""
    if pattern == "*":
        return sorted(set(names))
    if is_plain(pattern):
        return [pattern] if pattern in set(names) else []
    fits = re.compile(translate(pattern)).match
    return sorted({name for name in names if fits(name)})


def regex(pattern: str) -> bytes:
    """The pattern as a regular expression of what stands between two NUL bytes."""
    parts = {"*": b"[^\\0]*", "?": b"[^\\0]"}
    return b"".join([parts.get(sign) or re.escape(sign.encode()) for sign in pattern])
