"""Opens BTF that lies in files: of the running kernel, of its modules, raw, in an ELF file such as vmlinux.

A large section takes some 150 ms to walk over, so its index (compiler/btf/index.py) is kept in the user's cache
directory, under the identity of what it belongs to, and only the pages that are needed are read of the section itself.
A cache that is broken, belongs to another kernel or to another user is made anew; one that can't be written is done
without.
"""

from __future__ import annotations

import os
from binascii import crc32

from pybpf.compiler.btf.decode import Btf, extent
from pybpf.compiler.btf.encode import HEADER
from pybpf.compiler.btf.types import BtfError

__all__ = ["MODULES", "RUNNING", "cache_directory", "open_btf", "open_bundled", "open_module"]

RUNNING = "/sys/kernel/btf/vmlinux"
MODULES = "/sys/kernel/btf"

_NOTES = "/sys/kernel/notes"  # holds the kernel's build id
_PAGE = 1 << 14
_SMALL = 1 << 18  # bytes of a section that is walked over faster than a cache is found


class _Window:
    """Bytes `start` to `start + size` of a file, read by pages when they are asked for."""

    def __init__(self, path: str, start: int, size: int) -> None:
        self._path = path
        self._start = start
        self._size = size
        self._pages: dict[int, bytes] = {}

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        first, last = start // _PAGE, max(stop - 1, start) // _PAGE
        if first == last:
            return self._page(first)[start - first * _PAGE : stop - first * _PAGE]
        if last - first > 4:  # a walk over all of it
            return self._read(start, stop - start)
        whole = b"".join([self._page(number) for number in range(first, last + 1)])
        return whole[start - first * _PAGE : stop - first * _PAGE]

    def find(self, text: bytes, start: int) -> int:
        """Where one byte is found first, from `start` on; -1 for nowhere."""
        assert len(text) == 1
        while start < self._size:
            number = start // _PAGE
            found = self._page(number).find(text, start - number * _PAGE)
            if found >= 0:
                return number * _PAGE + found
            start = (number + 1) * _PAGE
        return -1

    def _page(self, number: int) -> bytes:
        page = self._pages.get(number)
        if page is None:
            start = number * _PAGE
            page = self._pages[number] = self._read(start, min(_PAGE, self._size - start))
        return page

    def _read(self, start: int, size: int) -> bytes:
        try:
            with open(self._path, "rb", buffering=0) as file:
                file.seek(self._start + start)
                parts = []
                while size > 0:
                    part = file.read(size)
                    if not part:
                        raise BtfError(f"{self._path} is cut short")
                    parts.append(part)
                    size -= len(part)
        except OSError as error:
            raise BtfError(f"{self._path}: {error.strerror}") from None
        return b"".join(parts)


def open_btf(path: str) -> Btf:
    """The BTF of a file: raw as in /sys/kernel/btf, or the section `.BTF` of an ELF file of 64 bits.

    Raises OSError where it can't be read, BtfError where it holds none.
    """
    start, size = _section(path)
    window = _Window(path, start, size)
    types, strings = [
        _Window(path, start + part.start, part.stop - part.start) for part in extent(window[: HEADER.size], size)
    ]
    if strings[-1:] != b"\0":
        raise BtfError(".BTF: the string table doesn't end with a NUL")
    if size <= _SMALL:
        return Btf(types[:], strings[:])
    identity = _identity(path, size)
    place = os.path.join(cache_directory(), f"{identity.hex()}.btfindex")
    index = _kept(place)
    if index:
        try:
            return Btf(types, strings, None, index, identity)
        except BtfError:
            pass  # broken, or of another format: made anew
    made = Btf(types, strings)
    _keep(place, made.make_index(identity))
    return made


def open_bundled(path: str) -> Btf:
    """A raw BTF file that comes with its index beside it (`x.btf`, `x.btfindex`)."""
    with open(path, "rb") as file:
        data = file.read()
    with open(path + "index", "rb") as file:
        index = file.read()
    types, strings = extent(data[: HEADER.size], len(data))
    return Btf(data[types], data[strings], None, index)


def open_module(name: str, base: Btf) -> Btf:
    """The BTF of a loaded module, which continues that of the running kernel. Raises OSError, BtfError."""
    from pybpf.compiler.btf.decode import decode_btf

    with open(os.path.join(MODULES, name), "rb") as file:
        return decode_btf(file.read(), base)


def cache_directory() -> str:
    """The directory of indexes: pybpf's, in the user's cache directory (XDG Base Directory Specification)."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(root):  # as the specification wants it
        root = os.path.expanduser("~/.cache")
    return os.path.join(root, "pybpf", "btf")


def _section(path: str) -> tuple[int, int]:
    """Where the BTF of a file starts, and its size in bytes."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(64)
        if head[:4] != b"\x7fELF":
            return 0, size
        if len(head) < 64 or head[4] != 2 or head[5] != 1:
            raise BtfError(f"{path} is not an ELF file of 64 bits for a little-endian machine")
        table, count, names = (_number(head, at, width) for at, width in ((0x28, 8), (0x3C, 2), (0x3E, 2)))
        file.seek(table)
        headers = file.read(64 * count)
        if len(headers) < 64 * count or not names < count:
            raise BtfError(f"{path}: its section headers are cut short")

        def place(number: int) -> tuple[int, int]:
            return _number(headers, 64 * number + 0x18, 8), _number(headers, 64 * number + 0x20, 8)

        start, length = place(names)
        file.seek(start)
        texts = file.read(length)
        for number in range(count):
            name = _number(headers, 64 * number, 4)
            if texts[name : name + 5] == b".BTF\0":
                start, length = place(number)
                if start + length > size:
                    raise BtfError(f"{path}: its section .BTF is cut short")
                return start, length
    raise BtfError(f"{path} has no section .BTF")


def _number(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width], "little")


def _identity(path: str, size: int) -> bytes:
    """At most 32 bytes that change when the section does: the kernel's build id, or which file it is and its time."""
    head = size.to_bytes(4, "little")
    if path == RUNNING:
        try:
            with open(_NOTES, "rb") as file:
                notes = file.read()
        except OSError:
            notes = b""
        found = notes.find(b"\3\0\0\0GNU\0")  # NT_GNU_BUILD_ID
        if found >= 0:
            return head + notes[found + 8 : found + 28]
        told = "\n".join(os.uname()).encode()
        return head + crc32(told).to_bytes(4, "little")
    status = os.stat(path)
    place = os.path.realpath(path).encode("utf-8", "surrogateescape")
    numbers = (status.st_ino, status.st_mtime_ns, crc32(place))
    return head + b"".join([(number & (1 << 64) - 1).to_bytes(8, "little") for number in numbers])


def _kept(path: str) -> bytes:
    """The content of a cache file; nothing where there is none, or another user may have written it."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o022):
                return b""
            return file.read()
    except OSError:
        return b""


def _keep(path: str, data: bytes) -> None:
    """Write a cache file, the whole of it or nothing. Others of pybpf's there are removed: a kernel comes and goes."""
    directory = os.path.dirname(path)
    beside = f"{path}.{os.getpid()}"
    try:
        os.makedirs(directory, 0o700, exist_ok=True)
        if hasattr(os, "geteuid") and os.stat(directory).st_uid != os.geteuid():
            return  # root in a user's home, or worse
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        os.replace(beside, path)
        _prune(directory)
    except OSError:
        try:
            os.unlink(beside)
        except OSError:
            pass


def _prune(directory: str) -> None:
    """Keep the eight indexes that were written last."""
    found = [os.path.join(directory, name) for name in os.listdir(directory) if name.endswith(".btfindex")]
    found.sort(key=os.path.getmtime)
    for path in found[:-8]:
        os.unlink(path)
