"""The verifier's log buffers during a load, and what a failed load means."""

from __future__ import annotations

import ctypes
import mmap
import re
from typing import TYPE_CHECKING

from pybpf.runtime.errors import LoadError, NoBpf, PybpfError, VerifierError, errno_name, not_permitted
from pybpf.runtime.kinds import program_type
from pybpf.runtime.libbpf import library

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Self

    from pybpf.runtime.verifier import Origin

__all__ = ["LogBuffers", "load_failure"]

_FAILED_PROGRAM = re.compile(r"prog '([^']+)': (?:-- BEGIN PROG LOAD LOG|BPF program load failed|failed to load)")
_UNRESOLVED = re.compile(r"extern '(\w+)' \(strong\): not resolved")
_FAILED_MAP = re.compile(
    r"[mM]ap '([^']+)': failed to create|Error in bpf_(?:create_map_xattr|map_create)\w*\(([^)]+)\)"
)


class LogBuffers:
    """A log buffer for each of libbpf's programs, while they load.

    libbpf asks the kernel for a log only when a program fails (it then loads it again), or always from `level` 1 on.
    The buffers are private anonymous memory: pages that nothing was written to cost nothing.
    """

    def __init__(self, programs: Sequence[int], size: int, level: int) -> None:
        lib = library()
        self._buffers: dict[str, mmap.mmap] = {}
        self._exports: list[ctypes.c_char] = []
        for program in programs:
            buffer = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            export = ctypes.c_char.from_buffer(buffer)
            self._buffers[lib.bpf_program__name(program).decode()] = buffer
            self._exports.append(export)
            lib.bpf_program__set_log_buf(program, ctypes.addressof(export), size)
            if level:
                lib.bpf_program__set_log_level(program, level)

    def texts(self) -> dict[str, str]:
        """What the kernel wrote, by program name."""
        found = {}
        for name, buffer in self._buffers.items():
            end = buffer.find(b"\0", 0)
            found[name] = buffer[: max(end, 0)].decode(errors="replace")
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._exports.clear()
        for buffer in self._buffers.values():
            buffer.close()


def load_failure(
    name: str,
    code: int,
    said: Sequence[str],
    logs: Mapping[str, str],
    types: Mapping[str, tuple[int, str]],
    origin: Callable[[str, int], Origin | None] | None,
) -> PybpfError:
    """The exception for a load that failed with errno `code`. `said` is libbpf's output; `types` are
    type number and section of each program."""
    from pybpf.runtime import verifier

    program = next((match[1] for line in said if (match := _FAILED_PROGRAM.search(line))), "")
    if not program:
        program = next((name for name, log in logs.items() if log), "")
    log = logs.get(program, "")
    if log.strip():

        def at(insn: int) -> Origin | None:
            return origin(program, insn) if origin is not None else None

        report = verifier.locate(verifier.parse(log), at)
        return VerifierError(program, log, report, verifier.render(program, report, at))
    text = "\n".join(said)
    extern = next((match[1] for line in said if (match := _UNRESOLVED.search(line))), "")
    if extern:
        call = "kconfig" if extern.startswith(("CONFIG_", "LINUX_")) else "ksym"
        help = f"where it may be absent, declare it {call}(..., weak=True): it then reads as 0, or as an empty text"
        set_by = extern.startswith("CONFIG_")
        lacks = "the configuration of this kernel does not set" if set_by else "this kernel has no"
        return LoadError(f"{lacks} {extern}", help, text, extern)
    if program:
        number, section = types.get(program, (0, ""))
        kind = program_type(number)
        what = f"loading program {program!r} (type {kind})"
        head, _, target = section.lstrip("?").partition("/")
        if code == 1:
            return not_permitted(what, _forbidden(kind, head.removesuffix(".s")))
        if code == 3 and head.removesuffix(".s") in _BY_BTF:
            return LoadError(f"{what}: this kernel has no {head} target {target!r}{_quote(said)}", _near(head, target))
        if code == 22 and ".multi" in head and head.startswith(("fentry", "fexit", "fsession")):
            return LoadError(f"{what}: {errno_name(code)}", f"this kernel has no {head}, which came after Linux 7.0")
        if code == 22 and head.startswith("fsession"):
            return LoadError(f"{what}: {errno_name(code)}", "sessions of fentry and fexit (fsession) need Linux 7.0")
        help = f"this kernel may not know programs of type {kind}, or its attach target" if code in (22, 3, 2) else ""
        return LoadError(f"{what}: {errno_name(code)}{_quote(said)}", help, text)
    if code == 38:
        return NoBpf("this kernel has no bpf(2)", "use a kernel built with CONFIG_BPF_SYSCALL")
    failed_map = next((match[1] or match[2] for line in said if (match := _FAILED_MAP.search(line))), "")
    what = f"creating map {failed_map!r}" if failed_map else f"loading {name!r}"
    if code in (1, 13):
        return not_permitted(what)
    help = ""
    if failed_map and code in (12, 7, 22):  # ENOMEM, E2BIG, EINVAL
        help = "check max_entries and the sizes of key and value; this kernel may also not have that kind of map"
    return LoadError(f"{what}: {errno_name(code)}{_quote(said)}", help, text)


# What programs are hung onto by the number of a type of the kernel's BTF.
_BY_BTF = {"fentry": "", "fexit": "", "fmod_ret": "", "fsession": "", "tp_btf": "btf_trace_", "lsm": "bpf_lsm_",
           "lsm_cgroup": "bpf_lsm_", "iter": "bpf_iter_"}  # fmt: skip
# Those that change how functions of the kernel, or of other programs, run.
_INTRUSIVE = ("fentry", "fexit", "fmod_ret", "fsession", "freplace", "lsm", "lsm_cgroup")


def _forbidden(kind: str, head: str) -> str:
    """What to say where the kernel refuses a program with EPERM, and no log, in spite of all capabilities."""
    if head in _INTRUSIVE:
        return (
            f"this kernel refuses {head} programs, without a verifier log: those that run inside the kernel's "
            "functions and security hooks, or in other programs (fentry, fexit, fmod_ret, freplace, lsm). "
            "`pybpf doctor` says what loads here. The memory limit (ulimit -l) has nothing to do with it"
        )
    return (
        f"this kernel refuses this program of type {kind}, without a verifier log, though the process has the "
        "capabilities: a security policy, or lockdown=; the memory limit (ulimit -l) has nothing to do with it"
    )


def _near(head: str, target: str) -> str:
    from pybpf.stdlib.kernel.functions import like

    prefix = _BY_BTF[head.removesuffix(".s")]
    near, known = like(prefix + target) if prefix != "btf_trace_" else ("", True)
    near = near.removeprefix(prefix)
    if near:
        return f"did you mean {near!r}?"
    return "" if known else "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF), by which it is found"


def _quote(said: Sequence[str]) -> str:
    """libbpf's first messages, below the error; its memory-limit guess, which is wrong on current kernels, left out."""
    kept = [line for line in "\n".join(said).splitlines() if line.strip() and "ulimit" not in line]
    return "".join(f"\n  libbpf: {line}" for line in kept[:6])
