"""A loaded program: attach it, run it once on given input, ask the kernel about it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from pybpf.runtime import links
from pybpf.runtime.errors import PybpfError
from pybpf.runtime.kinds import program_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybpf.compiler.schema.specs import ProgramSpec
    from pybpf.runtime.links import Link
    from pybpf.runtime.links.iterators import IteratorLink
    from pybpf.runtime.object import LoadedObject
    from pybpf.runtime.proginfo import ProgramInfo
    from pybpf.runtime.testing import TestResult

__all__ = ["LoadedProgram"]

S = TypeVar("S")
T = TypeVar("T")


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

    def run(self, context: S | None = None, /) -> tuple[int, S]:
        """Call a @syscall program with a Struct; its answer, and the Struct as the program left it.

        Raises `RunError`, `NotPermitted`; TypeError for a Struct of another class than the program takes.
        """
        from pybpf.runtime.codec import codec
        from pybpf.runtime.testing import run

        owner: Any = self.spec.context.owner if self.spec is not None and self.spec.context is not None else None
        if (context is not None or owner is not None) and (owner is None or type(context) is not owner):
            takes = owner.__name__ if owner is not None else "nothing"
            raise TypeError(f"{self.name!r} takes {takes}, not {context!r}")
        if owner is None:
            return run(self, None, None, 1, 0).retval, context  # type: ignore[return-value]
        struct: Any = owner
        coder = codec(struct.__bpf__, struct.__name__)
        done = run(self, None, coder.encode(context), 1, 0)
        return done.retval, coder.decode(done.context, 0)

    def read(self, **options: Any) -> str:
        """What an iterator's program writes, going over all objects, or those that the options name: `map=`, `pid=`,
        `tid=`, `cgroup=`, `order=` (see `pybpf.runtime.links`). Raises `AttachError`, `RunError`.
        """
        with self._iterator(options) as link:
            return link.read().decode(errors="replace")

    def lines(self, **options: Any) -> Iterator[str]:
        """As `read`, line by line."""
        with self._iterator(options) as link:
            yield from link.lines()

    def records(self, kind: type[T], **options: Any) -> Iterator[T]:
        """As `read`, where the program writes Structs of one kind, by `ctx.seq_write(...)`."""
        from pybpf.runtime.links.iterators import records

        with self._iterator(options) as link:
            yield from records(link, kind)

    def _iterator(self, options: dict[str, Any]) -> IteratorLink:
        from pybpf.runtime.errors import AttachError
        from pybpf.runtime.links.iterators import IteratorLink

        if not self.section.startswith("iter"):
            raise AttachError(f"{self.name!r} is no iterator: nothing is read from a program of {self.section!r}")
        link = self.attach(**options)
        assert isinstance(link, IteratorLink)
        return link

    def info(self) -> ProgramInfo:
        """What the kernel says of the program now."""
        from pybpf.runtime.proginfo import program_info

        return program_info(self.fd)

    def pin(self, path: str | os.PathLike[str]) -> None:
        """Give it a name in a bpf file system, under which it outlives this process: `open_program(path)` finds it.

        That keeps it loaded, not attached: pin its link for that. Directories are made.
        """
        from pybpf.runtime.maps.pinning import pin

        pin(self.fd, os.fspath(path), f"program {self.name!r}")

    def unpin(self, path: str | os.PathLike[str]) -> None:
        """Take away a name that `pin` gave it; KeyError where there is none, PybpfError for that of another program."""
        from pybpf.runtime.links.opened import open_program

        with open_program(path) as there:
            if there.info().id != self.info().id:
                raise PybpfError(f"{os.fspath(path)} is the name of another program than {self.name!r}")
        os.unlink(path)

    def __repr__(self) -> str:
        return f"<program {self.name!r}: {self.type}, section {self.section!r}>"
