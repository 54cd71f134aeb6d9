"""Arenas: memory that programs and user space share, with pointers in it (BPF_MAP_TYPE_ARENA, Linux 6.9).

    class Node(Struct):
        value: u64
        next: Ptr["Node"]

    class Root(Struct):
        head: Ptr[Node]

    arena = Arena(max_pages=100)
    root = arena.var(Root)

    @syscall
    def push(ctx: PushArgs) -> i32:
        node = arena.alloc(Node)            # fresh pages, all zero; None where there are none
        if node is None:
            return -1
        node.value = ctx.value
        node.next = root.head
        root.head = node
        return 0

User space has the same objects at the same addresses: `obj[root].head`, `obj[arena].alloc(Node)`.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.specs import GlobalSpec, KfuncSpec
from pybpf.compiler.schema.types import (
    I32,
    NONE,
    U32,
    U64,
    OptionalType,
    PtrType,
    Space,
    align_of,
    opaque_in,
    size_of,
)
from pybpf.stdlib.mapkinds import FLAGS, KINDS, PAGE
from pybpf.stdlib.maps.base import Declaration
from pybpf.stdlib.naming import check_call
from pybpf.stdlib.types import instead, type_of, why_not, zero
from pybpf.stdlib.variables import Variable, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type
    from pybpf.stdlib.variables import _Make

    T = TypeVar("T")

__all__ = ["Arena"]

MOST = 1 << 20  # pages: 4 GiB (SZ_4G in kernel/bpf/arena.c, arena_map_alloc)
_WINDOW = 1 << 32  # addresses differ in their lower halves only

_void = PtrType(None, Space.KERNEL)
_SLEEPS = frozenset(("sleepable", "arena_ret", "arena_arg2", "ret_null"))
_ALLOC = KfuncSpec(
    "bpf_arena_alloc_pages",
    (("p__map", _void), ("addr__ign", _void), ("page_cnt", U32), ("node_id", I32), ("flags", U64)),
    _void, _SLEEPS, since="6.9",
)  # fmt: skip
_FREE = KfuncSpec(
    "bpf_arena_free_pages", (("p__map", _void), ("ptr__ign", _void), ("page_cnt", U32)), NONE, _SLEEPS, since="6.9"
)  # fmt: skip


class Arena(Declaration):
    """`Arena(max_pages=100)`: up to 4 GiB of pages that programs and this process share, at the same addresses.

    `address` is where user space maps it, a multiple of the page; without one, wherever there is room. A pinned one
    needs it, as each process has to map it there.
    """

    kind = KINDS["ARENA"]
    _parameters = ()
    _example = "Arena(max_pages=100)"

    def __init__(
        self, max_pages: int, *, address: int = 0, name: str = "", pin: bool = False
    ) -> None:  # fmt: skip
        if isinstance(max_pages, bool) or not isinstance(max_pages, int):
            raise DeclarationTypeError(
                f"Arena: max_pages must be an int, not {max_pages!r}", help="write:", lines=(self._example,)
            )
        if not 0 < max_pages <= MOST:
            raise DeclarationValueError(
                f"Arena: max_pages must lie between 1 and {MOST}, not {max_pages}",
                help=f"a page has {PAGE} bytes, and an arena at most 4 GiB",
            )
        super().__init__(max_pages, name=name, flags=FLAGS["mmapable"][0], pin=pin)
        last = address + max_pages * PAGE - 1
        if not isinstance(address, int) or address < 0 or address % PAGE or last >= 1 << 47:
            raise DeclarationValueError(
                f"Arena: address must be that of a page in user space, not {address!r}",
                help="a free one on x86-64 and arm64:", lines=(f"Arena({max_pages}, address=1 << 44)",),
            )  # fmt: skip
        if address // _WINDOW != last // _WINDOW:
            raise DeclarationValueError(
                "Arena: it would lie across a multiple of 4 GiB, which the kernel does not allow",
                help="let it begin at one:", lines=(f"Arena({max_pages}, address={last // _WINDOW * _WINDOW:#x})",),
            )  # fmt: skip
        if pin and not address:
            raise DeclarationValueError(
                "Arena: a pinned arena needs an address: all processes have it at the same one, as pointers do",
                help="choose one that is free in all of them:",
                lines=(f"Arena({max_pages}, address=1 << 44, pin=True)",),
            )
        self.address_of_map = address
        self._taken = 0  # bytes of its variables

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        return None, None

    def spec(self, fallback: str = "") -> MapSpec:
        made = super().spec(fallback)
        made.extra = self.address_of_map
        made.helpers = {"alloc": _ALLOC, "free": _FREE}
        return made

    if TYPE_CHECKING:

        @property
        def var(self) -> _Make:
            """A variable of the program that lies in the arena, at its start: `root = arena.var(Root)`."""
            ...

        def alloc(self, kind: type[T], /) -> T | None:
            """In a program that may sleep: a new object of the type, in pages of its own; None where none are free."""

        def free(self, object: object, /) -> None:
            """In a program that may sleep: give back the pages that an object lies in."""

        def address(self, object: object, /) -> int:
            """In the program: the address that user space has for an object; 0 for None."""
            ...

        def at(self, kind: type[T], address: int, /) -> T | None:
            """In the program: the object at an address; None for 0."""

    else:

        def var(self, *given, **options):
            """A variable of the program that lies in the arena, at its start: `root = arena.var(Root)`."""
            check_call(_variable, "var()", given, options, "root = arena.var(Root)")
            return _variable(self, *given, **options)

        def alloc(self, kind, /):
            return self._live().alloc(kind)

        def free(self, object, /):
            self._live().free(object)

        def address(self, object, /):
            return self._live().address(object)

        def at(self, kind, address, /):
            return self._live().at(kind, address)


class ArenaVariable(Variable):
    """A variable in an arena. Those of one arena lie one after the other at its start (section .addr_space.1)."""

    __slots__ = ("arena",)

    def __init__(self, arena: Arena, kind: Type, default: object, name: str) -> None:
        super().__init__(kind, default, False, name)
        self.arena = arena

    def spec(self, fallback: str = "") -> GlobalSpec:
        made = super().spec(fallback)
        made.arena = self.arena.spec()
        return made


_ZERO = object()


def _variable(arena: Arena, kind: Any, default: object = _ZERO, *, name: str = "") -> Any:
    found = type_of(kind)
    if found is None or isinstance(found, OptionalType):
        better = instead(kind)
        why = "a pointer by itself" if found is not None else why_not(kind)
        help = "put it into a Struct" if found is not None else "write:" if better else ""
        raise DeclarationTypeError(f"var(): {why}", help=help, lines=(f"var({better})",) if better else ())
    if opaque_in(found):
        from pybpf.stdlib.opaque import check_opaque

        check_opaque("var()", "", None, found)
    if default is _ZERO:
        default = zero(found)
    encode(found, default, "var()")
    align = align_of(found)
    arena._taken += -arena._taken % align + size_of(found)
    if arena._taken > arena.max_entries * PAGE:
        raise DeclarationValueError(
            f"var(): the arena's variables take {arena._taken} bytes, and it has {arena.max_entries} pages of {PAGE}",
            help=f"make it larger: max_pages={(arena._taken + PAGE - 1) // PAGE}, and more to allocate",
        )
    return ArenaVariable(arena, found, default, name)
