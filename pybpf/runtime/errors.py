"""What can go wrong between an object file and a running program.

Every error is a `PybpfError`: `message` says what happened, `help` what to do about it; `str(error)` shows both. The
command line prints them as they are, without a traceback.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.runtime.verifier import VerifierFrame, VerifierReport

__all__ = [
    "AttachError", "LoadError", "MapFull", "NoBpf", "NotPermitted", "ObjectClosed", "PybpfError",
    "RunError", "VerifierError", "errno_name", "missing_capabilities",
]  # fmt: skip


class PybpfError(Exception):
    """Base of the runtime's errors."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return f"{self.message}\nhelp: {self.help}" if self.help else self.message


class NoBpf(PybpfError):
    """There is no BPF to load into, or no libbpf to load with."""


class NotPermitted(PybpfError, PermissionError):
    """The kernel refused for lack of a privilege, or because it is locked down."""

    def __init__(self, message: str, help: str = "") -> None:
        PybpfError.__init__(self, message, help)
        self.errno = errno.EPERM


class LoadError(PybpfError):
    """The object could not be opened or loaded. `log` is what libbpf said (may be empty); `extern` the value of the
    kernel that was not found, where that is why.
    """

    def __init__(self, message: str, help: str = "", log: str = "", extern: str = "") -> None:
        super().__init__(message, help)
        self.log = log
        self.extern = extern


class VerifierError(LoadError):
    """The kernel's verifier rejected a program.

    `program` is its name, `log` the whole log, `report` what was read out of it; `frames` are the source lines from
    the failing one outwards to the program's own function.
    """

    def __init__(self, program: str, log: str, report: VerifierReport, rendered: str) -> None:
        LoadError.__init__(self, rendered, "", log)
        self.program = program
        self.report = report
        self.frames: tuple[VerifierFrame, ...] = report.frames
        self.file = self.frames[0].file if self.frames else ""
        self.line = self.frames[0].line if self.frames else 0


class AttachError(PybpfError):
    """A loaded program could not be attached."""


class RunError(PybpfError):
    """The kernel can't run this program on given input (BPF_PROG_TEST_RUN)."""


class MapFull(PybpfError):
    """A new key for a map that already holds `max_entries`."""


class ObjectClosed(PybpfError):
    """A map, program, link or buffer was used after its object had been closed."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is closed", "use it inside the `with load(...)` block that opened it")


def errno_name(code: int) -> str:
    """`EPERM (Operation not permitted)` for 1 or -1."""
    code = abs(code)
    if code == 524:  # include/linux/errno.h, not in the C library
        return "ENOTSUPP (not supported by the kernel)"
    if code == errno.EOPNOTSUPP:  # Python calls it by its other name
        return f"EOPNOTSUPP ({os.strerror(code)})"
    return f"{errno.errorcode.get(code, code)} ({os.strerror(code)})"


_CAPABILITIES = {12: "CAP_NET_ADMIN", 21: "CAP_SYS_ADMIN", 38: "CAP_PERFMON", 39: "CAP_BPF"}


def missing_capabilities() -> list[str]:
    """What this process lacks of CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN; CAP_SYS_ADMIN stands for the first two."""
    try:
        with open("/proc/self/status", encoding="utf-8", errors="replace") as status:
            line = next(line for line in status if line.startswith("CapEff:"))
    except (OSError, StopIteration):
        return []
    held = {name for bit, name in _CAPABILITIES.items() if int(line.split()[1], 16) >> bit & 1}
    if "CAP_SYS_ADMIN" in held:
        held |= {"CAP_BPF", "CAP_PERFMON"}
    return [name for name in ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN") if name not in held]


def not_permitted(what: str, hint: str = "") -> NotPermitted:
    """The error for an EPERM from bpf(2): names what is missing, or says that the kernel is locked down."""
    missing = missing_capabilities()
    if missing:
        help = f"run as root, or with {', '.join(missing)}"
    else:
        help = hint or (
            "the process has the capabilities, so this kernel forbids it altogether: it is locked down "
            "(`lockdown=`), or a security policy says so"
        )
    return NotPermitted(f"{what}: not permitted (EPERM)", help)
