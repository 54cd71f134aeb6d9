"""A loaded program: attach it, run it once on given input, ask the kernel about it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.record import Record
from pybpf.runtime import links, syscall
from pybpf.runtime.kinds import program_type

if TYPE_CHECKING:
    from pybpf.compiler.schema.specs import ProgramSpec
    from pybpf.runtime.links import Link
    from pybpf.runtime.object import LoadedObject
    from pybpf.runtime.testing import TestResult

__all__ = ["LoadedProgram", "ProgramInfo"]


class ProgramInfo(Record):
    """What the kernel says of a program (struct bpf_prog_info). Sizes in bytes.

    `runs` and `run_ns` count only while BPF statistics are on (sysctl kernel.bpf_stats_enabled).
    """

    id: int
    name: str
    tag: str
    jited_size: int
    translated_size: int
    runs: int
    run_ns: int
    verified_insns: int


class LoadedProgram:
    """A program in the kernel; it belongs to its object and ends with it."""

    def __init__(
        self,
        owner: LoadedObject,
        handle: int,
        name: str,
        fd: int,
        type: int,
        section: str,
        spec: ProgramSpec | None,
        log: str,
    ) -> None:
        self.owner = owner
        self.name = name
        self.type = program_type(type)
        self.section = section
        self.spec = spec
        self.log = log  # the verifier's, if the load asked for one
        self._handle = handle
        self._fd = fd

    @property
    def fd(self) -> int:
        """The program's file descriptor; it belongs to the object."""
        self.owner._check()
        return self._fd

    @property
    def handle(self) -> int:
        """libbpf's `struct bpf_program *`."""
        self.owner._check()
        return self._handle

    @property
    def attachable(self) -> bool:
        """False for programs that are only ever run or tail-called, which `LoadedObject.attach()` leaves alone."""
        return links.attachable(self.section)

    def attach(self, target: Any = None, **options: Any) -> Link:
        """Attach to what the section names, or to `target`; options by kind of program: see `pybpf.runtime.links`.

        Raises `AttachError` or `NotPermitted`. The link lives until it is detached or the object closed.
        """
        if target is not None:
            options["target"] = target
        with self.owner._lock:  # nobody closes the object meanwhile
            self.owner._check()
            link = links.attach(self, options)
            self.owner._add_link(link)
        return link

    def test(
        self, packet: bytes | None = None, *, context: bytes | None = None, repeat: int = 1, room: int = 0
    ) -> TestResult:
        """Run the program on given input, without attaching it; see `pybpf.runtime.testing`."""
        from pybpf.runtime.testing import run

        return run(self, packet, context, repeat, room)

    def info(self) -> ProgramInfo:
        """What the kernel says of the program now."""
        raw = syscall.obj_info(self.fd, 232)
        _, id, tag, jited, translated = struct.unpack_from("<II8sII", raw)
        name = raw[64:80].partition(b"\0")[0].decode(errors="replace")
        run_ns, runs = struct.unpack_from("<QQ", raw, 192)
        (verified,) = struct.unpack_from("<I", raw, 216)
        return ProgramInfo(id, name, tag.hex(), jited, translated, runs, run_ns, verified)

    def __repr__(self) -> str:
        return f"<program {self.name!r}: {self.type}, section {self.section!r}>"
