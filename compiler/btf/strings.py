"""A table of NUL-terminated strings, as `.BTF` and ELF's `.strtab` have it."""

from __future__ import annotations

__all__ = ["StringTable"]


class StringTable:
    """Strings in the order of their first use, each one once; offset 0 is the empty string. Grows in place."""

    def __init__(self) -> None:
        self._offsets: dict[str, int] = {"": 0}
        self._parts: list[bytes] = [b"\0"]
        self._size = 1

    def add(self, text: str) -> int:
        """Offset in bytes of `text`, which is added when it is new.

        Text that UTF-8 can't hold (lone surrogates in a notebook's source) is kept with question marks.
        """
        offset = self._offsets.get(text)
        if offset is None:
            offset = self._offsets[text] = self._size
            part = text.encode("utf-8", "replace") + b"\0"
            assert part.find(0) == len(part) - 1, f"a string holds a NUL: {text!r}"
            self._parts.append(part)
            self._size += len(part)
        return offset

    def data(self) -> bytes:
        """The table's bytes."""
        return b"".join(self._parts)
