"""Which helpers the kernel lacks, a type of programs at a time: each that pybpf knows for it is called once.

The verifier says `invalid func` or `unknown func` of a number that it does not know, and names the helper where the
type of programs may not call it; whatever else it refuses of a call without arguments shows that it has the helper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.probing import GOOD, LACKS, NOTE, Finding
from pybpf.probing.load import code, program
from pybpf.probing.programs import TYPES, load

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["has_helper", "missing_helpers"]

_UNKNOWN = ("invalid func ", "unknown func ", "program of this type cannot use helper ")


def has_helper(kind: int, attach: int, flags: int, number: int) -> bool:
    """Whether programs of that type may call the helper of that number in the running kernel."""
    call = code((0x85, 0, 0, number), (0x95, 0, 0, 0))
    result, log = program(kind, attach, call, flags=flags, log_size=4096)
    return result == 0 or not any(text in log for text in _UNKNOWN)


def missing_helpers() -> Iterator[Finding]:
    from pybpf.stdlib.helpers import names, spec_of

    specs = [spec for spec in map(spec_of, names()) if spec is not None]
    for name, kind, attach, flags, _ in TYPES:
        if load(name)[0]:
            yield Finding(name, NOTE, "this type of programs is not there, or not permitted")
            continue
        wanted = [spec for spec in specs if not spec.programs or name in spec.programs]
        lacking = [spec for spec in wanted if not has_helper(kind, attach, flags, spec.id)]
        if lacking:
            shown = ", ".join([f"{spec.name} ({spec.since})" for spec in lacking])
            yield Finding(name, LACKS, f"{len(wanted) - len(lacking)} of {len(wanted)}; not {shown}")
        else:
            yield Finding(name, GOOD, f"all {len(wanted)}")
