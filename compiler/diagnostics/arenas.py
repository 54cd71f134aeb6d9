"""E15xx: arenas, and the pointers in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ArenaTooSmall", "NotInArena", "TwoArenas", "WhichArena"]


class TwoArenas(Diagnostic):
    """A program uses two arenas, and the kernel lets each have one.

    A pointer is an address; the kernel finds what it leads to by the one arena of the program. Keep what belongs
    together in one arena, or split the program.

        nodes = Arena(max_pages=100)
        names = Arena(max_pages=100)

        node = nodes.alloc(Node)
        name = names.alloc(Name)            # fails: the program has `nodes` already

        name = nodes.alloc(Name)            # works
    """

    program: str
    arenas: tuple[str, ...]

    code = "E1501"
    title = "{program}() uses more than one arena, and the kernel lets a program have one"
    label = "in this program"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Note(f"they are {listed(self.arenas)}")
        yield Help("keep both in one arena, or use one program for each")


class WhichArena(Diagnostic):
    """A program follows a pointer, and nothing says which arena it leads into.

    A pointer is an address; the kernel finds what it leads to by the program's arena. A program that names none has the
    arena of its object, where there is exactly one.

        class Entry(Struct):
            node: Ptr[Node]

        entries = HashMap[u32, Entry](max_entries=16)

        @xdp
        def look(pkt: XdpContext) -> XDP:
            entry = entries.get(0)
            if entry is not None:
                node = entry.node
                if node is not None:
                    found[0] = node.value       # fails where the object has no arena, or two

    Using one of the arena's variables names it, and so does a call of its methods:

        node = arena.at(Node, arena.address(entry.node))        # works
    """

    program: str
    arenas: tuple[str, ...]

    code = "E1502"
    title = "{program}() follows a pointer, and names no arena that it leads into"
    label = "a pointer into which arena?"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.arenas:
            yield Note(f"the object has {listed(self.arenas)}")
            name = self.arenas[0]
            yield Help("name the right one:", (f"node = {name}.at(Node, {name}.address(pointer))",))
        else:
            lines = ("arena = Arena(max_pages=100)", "", "node = arena.at(Node, arena.address(pointer))")
            yield Help("declare the arena at module level, and name it:", lines)


class ArenaTooSmall(Diagnostic):
    """An object takes more pages than the arena has.

    A page has 4096 bytes, and an object has pages of its own.

        arena = Arena(max_pages=4)

        table = arena.alloc(Array[u64, L[4096]])      # fails: 8 pages
        table = arena.alloc(Array[u64, L[1024]])      # works: 2 pages
    """

    arena: str
    text: str
    pages: int
    most: int

    code = "E1503"
    title = "`{text}` takes {pages} pages, and {arena} has {most}"
    label = "there are never so many"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("make the arena larger:", (f"{self.arena} = Arena(max_pages={max(2 * self.most, 2 * self.pages)})",))


class NotInArena(Diagnostic):
    """What a pointer is to lead to does not lie in the arena.

    A `Ptr[T]` holds the address of an object in the program's arena. An object that a program makes by itself lies on
    its stack, and is gone when the program ends; one in a map lies in the map.

        root.head = Node(value=1, next=None)      # fails

        node = arena.alloc(Node)                  # works
        if node is not None:
            node.value = 1
            root.head = node
    """

    what: str
    kind: str
    space: str

    code = "E1504"
    title = "{what} is a pointer, and leads to a {kind} in the arena only"
    label = "not in the arena"

    def more(self) -> Iterator[Label | Note | Help]:
        places = {"stack": "on the stack", "map": "in a map", "percpu": "in a per-CPU map", "global": "in a variable",
                  "const": "in a constant", "ringbuf": "in a ring buffer", "packet": "in the packet"}  # fmt: skip
        yield Note(f"this one lies {places.get(self.space, f'in {self.space} memory')}")
        lines = (f"new = arena.alloc({self.kind})", "if new is not None:", "    ...")
        yield Help("let it lie there from the start:", lines)
