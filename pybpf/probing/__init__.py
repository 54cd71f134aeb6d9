"""What this machine offers, for `pybpf doctor`: found out by asking the kernel, which is left as it was.

for section in sections():
    for finding in section.findings: ...

system.py      the kernel, its settings, what is mounted     privileges.py  what this user may do, and lacks
programs.py    program types and ways of attaching           maps.py        map types
helpers.py     which helpers each program type has           library.py     libbpf, and ourselves
"""

from __future__ import annotations

from pybpf.compiler.schema.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["GOOD", "LACKS", "NOTE", "Finding", "Section", "sections"]

GOOD, LACKS, NOTE = "ok", "lacks", "note"


class Finding(Record):
    """`state`: "ok"; "lacks", what is not there or not allowed; "note", a fact. `help`: what to do about it, or ""."""

    name: str
    state: str
    text: str
    help: str = ""


class Section(Record):
    heading: str
    findings: tuple[Finding, ...]


# Headings with the modules that find out. Programs are probed last: what is said of them refers to what is above.
_SECTIONS = (
    ("pybpf", "library", "ourselves"), ("kernel", "system", "kernel"), ("privileges", "privileges", "privileges"),
    ("mounts", "system", "mounts"), ("libbpf", "library", "libbpf"), ("programs", "programs", "program_types"),
    ("attaching", "programs", "attaching"), ("maps", "maps", "map_types"),
)  # fmt: skip


def sections(helpers: bool = False) -> Iterator[Section]:
    """All there is to say; with `helpers` also which helpers the kernel lacks, a program type at a time (seconds)."""
    for heading, module, function in (*_SECTIONS, *((("helpers", "helpers", "missing_helpers"),) if helpers else ())):
        found = __import__(f"pybpf.probing.{module}", fromlist=(function,))
        yield Section(heading, tuple(getattr(found, function)()))
