"""Arenas in the kernel: made, mapped into this process, and given to libbpf for its programs.

    obj[root].head                      a variable in the arena: a view, see arenamemory.py
    node = obj[arena].alloc(Node)       pages of their own for one more object, all zero
    obj[arena].free(node)

The map is made here and not by libbpf: its memory is then ours to give back, and a libbpf before 1.4, which knows no
arenas, will do. Such a one is told that the section of the arena's variables is a data section, whose map it is given.
What programs do by bpf_arena_alloc_pages() has no counterpart among bpf(2)'s commands, so `alloc` runs a program of a
few instructions.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
from typing import TYPE_CHECKING, Any, TypeVar

from pybpf.compiler.elf.data import ARENA
from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import Type, is_aggregate, size_of
from pybpf.runtime import syscall
from pybpf.runtime.arenamemory import ArenaMemory, address_of
from pybpf.runtime.errors import LoadError, MapFull, PybpfError, errno_name, not_permitted
from pybpf.runtime.libbpf import library
from pybpf.runtime.maps.handle import MapHandle

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.compiler.schema.specs import MapSpec

__all__ = ["ARENA_MAP", "LoadedArena", "MadeArena", "for_library", "make_arena", "map_arena", "opened_arena", "unmap"]

T = TypeVar("T")

ARENA_MAP = 33  # BPF_MAP_TYPE_ARENA
_PAGE = mmap.PAGESIZE
_STRUCT, _ENUM64 = 4, 19  # BTF_KIND_...
_MAP_EXTRA = 80  # its offset in struct bpf_map_info
_STAND_IN = b".data.arena_1"  # in place of ".addr_space.1", of the same length, for libraries before 1.4
_MAP_CREATE, _PROG_LOAD = 0, 5  # enum bpf_cmd
_FIXED = 0x100000  # MAP_FIXED_NOREPLACE, include/uapi/asm-generic/mman-common.h
_SYSCALL, _SLEEPABLE = 31, 1 << 4  # BPF_PROG_TYPE_SYSCALL, BPF_F_SLEEPABLE

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


class MadeArena(Record, eq=False):
    """An arena that is mapped and has a descriptor of its own. `fresh`: nobody else has used it."""

    fd: int
    memory: ArenaMemory
    fresh: bool

    def close(self) -> None:
        self.memory.close()
        os.close(self.fd)


def for_library(elf: bytes) -> bytes:
    """The object file as the library in use can read it."""
    if library().knows_arenas or ARENA.encode() not in elf:
        return elf
    return _without_addresses(elf).replace(ARENA.encode() + b"\0", _STAND_IN + b"\0")


def _without_addresses(elf: bytes) -> bytes:
    """The object with a number of 32 bits in place of each arena's address, which such a library does not look at."""
    from pybpf.compiler.btf.index import scan
    from pybpf.runtime.variables import section_data

    btf = section_data(elf, ".BTF")
    if not btf:
        return elf
    header, first, size, text = struct.unpack_from("<IIII", btf, 4)  # struct btf_header behind its magic and flags
    first, text = header + first, header + text
    made, begin = bytearray(elf), elf.index(btf)
    places = [0, *scan(btf[first : first + size], 1)]  # by id
    kinds = [0] + [struct.unpack_from("<I", btf, first + at + 4)[0] for at in places[1:]]
    for at, info in zip(places[1:], kinds[1:]):
        if info >> 24 & 0x1F != _STRUCT:
            continue
        for member in range(first + at + 12, first + at + 12 + 12 * (info & 0xFFFF), 12):
            name, kind = struct.unpack_from("<II", btf, member)
            if btf.startswith(b"map_extra\0", text + name) and kinds[kind] >> 24 & 0x1F == _ENUM64:
                made[begin + member + 4 : begin + member + 8] = btf[first + at + 16 : first + at + 20]  # of `type`
    return bytes(made)


def unmap(address: int, size: int) -> None:
    """Give back what such a library mapped for the initial values."""
    _libc.munmap(address, -(-size // _PAGE) * _PAGE)


def make_arena(name: str, pages: int, flags: int, address: int, pinned: str) -> MadeArena:
    """Make the map (or take the one that is pinned at a path) and map it, at `address` or (0) where there is room.

    Raises LoadError.
    """
    fresh = True
    if pinned and os.path.exists(pinned):
        from pybpf.runtime.maps.pinning import get_pinned

        fd, fresh = get_pinned(pinned, "pinned map"), False
    else:
        # union bpf_attr of BPF_MAP_CREATE, up to map_extra
        given = struct.pack(
            "<IIIIIII16sIIIIIQ", ARENA_MAP, 0, 0, pages, flags, 0, 0, name.encode()[:15], 0, 0, 0, 0, 0, address
        )
        try:
            fd = syscall.bpf(_MAP_CREATE, given)
        except OSError as error:
            raise _not_made(name, error) from None
    try:
        return MadeArena(fd, map_arena(fd, name, pages * _PAGE, address), fresh)
    except BaseException:
        os.close(fd)
        raise


def _not_made(name: str, error: OSError) -> Exception:
    what = f"creating map {name!r}"
    if error.errno == errno.EPERM:
        return not_permitted(what)
    help = ""
    if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
        help = "arenas need Linux 6.9 on x86-64 or arm64, and a JIT compiler that knows them"
    return LoadError(f"{what}: {errno_name(error.errno or 0)}", help)


def map_arena(fd: int, name: str, size: int, address: int) -> ArenaMemory:
    """Map an arena's `size` bytes. Raises LoadError where `address` is taken."""
    flags = mmap.MAP_SHARED | (_FIXED if address else 0)
    start = _libc.mmap(address or None, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, fd, 0)
    if start in (None, ctypes.c_void_p(-1).value) or (address and start != address):
        code = ctypes.get_errno()
        where = f" at {address:#x}" if address else ""
        taken = "something else is mapped there: choose another address"
        help = taken if address and code in (errno.EEXIST, errno.EBUSY, errno.EINVAL) else ""
        raise LoadError(f"mapping arena {name!r}{where}: {errno_name(code)}", help)

    def close() -> None:
        _libc.munmap(start, size)

    return ArenaMemory(name, start, (ctypes.c_ubyte * size).from_address(start), close)


def opened_arena(fd: int, spec: MapSpec, pages: int, check: Callable[[], None]) -> LoadedArena:
    """An arena that somebody else made, at the address that it was declared with. Raises LoadError, PybpfError."""
    (address,) = struct.unpack_from("<Q", syscall.obj_info(fd, _MAP_EXTRA + 8), _MAP_EXTRA)
    if not address:
        raise PybpfError(
            f"arena {spec.name!r} was made without an address, and only its maker knows where it is mapped",
            "declare it with one: Arena(..., address=1 << 44)",
        )
    return LoadedArena(fd, spec, pages, check, map_arena(fd, spec.name, pages * _PAGE, address))


class LoadedArena(MapHandle):
    """An arena: objects that programs and this process share. `start` is the address of its first byte."""

    def __init__(self, fd: int, spec: MapSpec, max_pages: int, check: Callable[[], None], memory: ArenaMemory) -> None:
        super().__init__(fd, spec, max_pages, check)
        self.start = memory.start
        self.memory = memory
        self._runner: _Runner | None = None

    def alloc(self, kind: type[T], /, **values: Any) -> T:
        """A new object of a type, in pages of its own, all zero but for the fields given. Raises MapFull."""
        wanted = _type(kind)
        pages = -(-size_of(wanted) // _PAGE)
        address = self._run(pages, 0)
        if not address:
            raise MapFull(
                f"arena {self.name!r} has no {pages} free pages in a row: it has {self.max_entries} in all",
                "declare it with larger max_pages, or free what is not needed any more",
            )
        made: T = self.memory.view(wanted, address)
        for name, value in values.items():
            setattr(made, name, value)
        return made

    def free(self, object: Any, /) -> None:
        """Give back the pages that an object lies in. Its views read zeroes from then on, or what comes there next."""
        address = self.address(object)
        kind = object.__bpf_kind__
        self._run(-(-size_of(kind) // _PAGE), address)

    def address(self, object: Any, /) -> int:
        """Where an object is; 0 for None. Raises TypeError for one that is not in an arena."""
        self._check()
        return address_of(object)

    def at(self, kind: type[T], address: int, /) -> T | None:
        """The object of a type at an address; None for 0. Raises ValueError for one outside the arena."""
        self._check()
        return self.memory.view(_type(kind), address) if address else None

    def _run(self, pages: int, address: int) -> int:
        self._check()
        if self._runner is None:
            self._runner = _Runner(self.fd, self.name)
        return self._runner.run(pages, address)

    def _release(self) -> None:
        self.memory.close()
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def __repr__(self) -> str:
        return f"<map {self.name!r}: ARENA, {self.max_entries} pages at {self.start:#x}>"


def _type(kind: Any) -> Type:
    found = getattr(kind, "__bpf__", None)
    if not isinstance(found, Type) or not is_aggregate(found):
        raise TypeError(f"an arena holds objects of a Struct or an Array, not {kind!r}")
    return found


# --- the program that gives out pages


class _Runner:
    """A loaded program of type SYSCALL, whose context is {u64 pages; u64 address}: it frees what lies at the address,
    or allocates (address 0) and puts the address there.
    """

    def __init__(self, arena: int, name: str) -> None:
        alloc, free = _function("bpf_arena_alloc_pages"), _function("bpf_arena_free_pages")
        # r6 = ctx; r2 = address; r3 = pages; r1 = the arena; if r2 goto free
        insns = [
            (0xBF, 0x16, 0, 0), (0x79, 0x62, 8, 0), (0x61, 0x63, 0, 0), (0x18, 0x11, 0, arena), (0, 0, 0, 0),
            (0x55, 0x02, 5, 0),
            (0xB7, 0x04, 0, -1), (0xB7, 0x05, 0, 0), (0x85, 0x20, 0, alloc), (0x7B, 0x06, 8, 0), (0x05, 0, 1, 0),
            (0x85, 0x20, 0, free),
            (0xB7, 0x00, 0, 0), (0x95, 0, 0, 0),
        ]  # fmt: skip
        code = ctypes.create_string_buffer(b"".join([struct.pack("<BBhi", *insn) for insn in insns]))
        license, log = ctypes.create_string_buffer(b"GPL"), ctypes.create_string_buffer(1 << 16)
        # union bpf_attr of BPF_PROG_LOAD, up to prog_name
        attr = struct.pack(
            "<IIQQIIQII16s", _SYSCALL, len(insns), ctypes.addressof(code), ctypes.addressof(license), 1, len(log),
            ctypes.addressof(log), 0, _SLEEPABLE, b"pybpf_arena",
        )  # fmt: skip
        try:
            self._fd = syscall.bpf(_PROG_LOAD, attr)
        except OSError as error:
            if error.errno == errno.EPERM:
                raise not_permitted(f"allocating in arena {name!r}") from None
            said = log.value.decode(errors="replace").strip()
            raise PybpfError(f"allocating in arena {name!r}: {errno_name(error.errno or 0)}\n{said}") from None
        self._name = name

    def run(self, pages: int, address: int) -> int:
        """The address of `pages` new pages, 0 where there are none; or frees those at `address`."""
        context = ctypes.create_string_buffer(struct.pack("<QQ", pages, address), 16)
        attr = struct.pack("<IIIIQQIIIIQQ", self._fd, 0, 0, 0, 0, 0, 0, 0, 16, 0, ctypes.addressof(context), 0)
        try:
            syscall.bpf(syscall.PROG_TEST_RUN, attr + bytes(16))
        except OSError as error:
            raise PybpfError(f"allocating in arena {self._name!r}: {errno_name(error.errno or 0)}") from None
        found: int = struct.unpack("<QQ", context.raw)[1]
        return found

    def close(self) -> None:
        os.close(self._fd)


def _function(name: str) -> int:
    """The BTF id of a kernel function."""
    from pybpf.compiler.btf.types import Func
    from pybpf.stdlib.kernel.names import running

    types = running()
    found = types.btf.find(name, Func) if types is not None else 0
    if not found:
        raise PybpfError(f"this kernel has no {name}()", "objects in arenas are allocated from Linux 6.9 on")
    return found
