"""Attaching by libbpf, from the section's name alone."""

from __future__ import annotations

import ctypes
import errno
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pybpf.runtime.errors import AttachError, errno_name, not_permitted
from pybpf.runtime.libbpf import library, messages
from pybpf.runtime.links.base import Link

if TYPE_CHECKING:
    from pybpf.runtime.program import LoadedProgram

__all__ = ["attach_by_libbpf"]


def attach_by_libbpf(program: LoadedProgram, section: str, options: dict[str, Any]) -> Link:
    lib = library()
    with messages() as said:
        pointer = lib.bpf_program__attach(program.handle)
    if not pointer:
        code = ctypes.get_errno()
        text = "".join(f"\n  libbpf: {line}" for line in said[:4])
        if code in (errno.EPERM, errno.EACCES):
            raise not_permitted(f"attaching {program.name!r} to {section}")
        help = ""
        if code == errno.EOPNOTSUPP:
            help = (
                f"programs of section {section!r} can't be attached by section alone, or this kernel has no such hook"
            )
        raise AttachError(f"attaching {program.name!r} to {section}: {errno_name(code)}{text}", help)

    def close() -> None:
        with messages(), suppress(OSError):
            lib.bpf_link__destroy(pointer)

    return Link(program, section.partition("/")[0], section.partition("/")[2], lib.bpf_link__fd(pointer), close)
