"""What programs can be attached to on this machine: `rows("tracepoint:sched:*")`.

A pattern is a family, a colon, and names with `*` and `?`, as bpftrace has them; without a colon, or with `*` for the
family, all families are looked through but those that need a file. A family is a row of `FAMILIES` and a function, of
a pattern for names and whether details are wanted.

    events.py     tracepoints, perf events          functions.py  what the kernel's functions and types give
    binaries.py   functions and USDT probes of a file
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["FAMILIES", "Family", "Row", "UnknownFamily", "families", "rows"]


class Row(Record):
    """Something to attach to. `details`, where they were asked for: fields, arguments, `name: type` each; `decorator`:
    how a program says it.
    """

    family: str
    name: str
    details: tuple[str, ...] = ()
    decorator: str = ""

    @property
    def text(self) -> str:
        return f"{self.family}:{self.name}"


class Family(Record):
    """`aliases` are bpftrace's short names. `file`: names begin with a file, and a colon."""

    name: str
    module: str
    function: str
    what: str
    aliases: tuple[str, ...] = ()
    file: bool = False


FAMILIES = (
    Family("tracepoint", "events", "tracepoints", "records of the kernel's tracepoints", ("t",)),
    Family("raw_tp", "functions", "raw_tracepoints", "tracepoints by their raw arguments", ("rt", "rawtracepoint")),
    Family("tp_btf", "functions", "typed_tracepoints", "the same, with types from BTF"),
    Family("fentry", "functions", "entries", "kernel functions with arguments from BTF (fexit too)", ("f", "fexit")),
    Family("kprobe", "functions", "probes", "kernel functions by their registers (kretprobe too)",
           ("k", "kr", "kretprobe")),
    Family("ksyscall", "events", "system_calls", "system calls (kretsyscall too)", ("kretsyscall",)),
    Family("lsm", "functions", "security_hooks", "hooks of security modules"),
    Family("iter", "functions", "iterators", "iterators over objects of the kernel", ("it",)),
    Family("struct_ops", "functions", "operations", "structs of functions that programs can supply"),
    Family("software", "events", "software_events", "perf's software events", ("s",)),
    Family("section", "events", "sections", "section names of all kinds of programs"),
    Family("uprobe", "binaries", "functions", "functions of a file: uprobe:/bin/bash:read* (uretprobe too)",
           ("u", "ur", "uretprobe"), True),
    Family("usdt", "binaries", "probes", "probes that a file was built with: usdt:FILE:PROVIDER:NAME", ("U",), True),
)  # fmt: skip


class UnknownFamily(ValueError):
    """A family that there is not; `known` are those that there are."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is nothing of the kind {name!r} to attach to")
        self.known = [family.name for family in FAMILIES]


def families(pattern: str) -> tuple[list[Family], str]:
    """The families that a pattern means, and the pattern for names."""
    head, colon, rest = pattern.partition(":")
    if not colon:
        exact = [family for family in FAMILIES if head in (family.name, *family.aliases)]
        if exact:
            return exact, "*"
        return [family for family in FAMILIES if not family.file], head
    if "*" in head or "?" in head:
        from fnmatch import fnmatchcase

        return [family for family in FAMILIES if not family.file and fnmatchcase(family.name, head)], rest or "*"
    found = [family for family in FAMILIES if head in (family.name, *family.aliases)]
    if not found:
        raise UnknownFamily(head)
    return found, rest or "*"


def rows(pattern: str, details: bool = False) -> Iterator[Row]:
    """What matches, family by family, sorted. Raises UnknownFamily; PybpfError for a file that can't be read.

    What this user may not see of the kernel is taken from pybpf's own tables, where they have it.
    """
    wanted, names = families(pattern)
    for family in wanted:
        module = __import__(f"pybpf.attachable.{family.module}", fromlist=(family.function,))
        find: Callable[[str, bool], Iterable[Row]] = getattr(module, family.function)
        yield from find(names, details)
