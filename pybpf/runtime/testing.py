"""Running a loaded program on given input: BPF_PROG_TEST_RUN.

    result = obj.programs["firewall"].test(packet)      # XDP, TC, socket filters, ...: bytes of a packet
    result = obj.programs["probe"].test(context=args)   # raw tracepoints, syscall programs: bytes of the context

The kernel runs packets `repeat` times and tells the mean time; raw tracepoints and syscall programs run once, untimed.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from typing import TYPE_CHECKING, Any

from pybpf.compiler.schema.record import Record
from pybpf.compiler.schema.types import EnumType, IntType
from pybpf.runtime import syscall
from pybpf.runtime.errors import NotPermitted, RunError, errno_name, not_permitted

if TYPE_CHECKING:
    from pybpf.runtime.program import LoadedProgram

__all__ = ["TestResult", "run", "test_program"]

# programs that the kernel runs with a packet (net/bpf/test_run.c)
_PACKET = {
    "SOCKET_FILTER", "SCHED_CLS", "SCHED_ACT", "XDP", "CGROUP_SKB", "LWT_IN", "LWT_OUT", "LWT_XMIT", "LWT_SEG6LOCAL",
    "FLOW_DISSECTOR", "NETFILTER",
}  # fmt: skip
# programs that it runs with a context only, once
_CONTEXT = {"RAW_TRACEPOINT", "RAW_TRACEPOINT_WRITABLE", "SYSCALL", "SK_LOOKUP"}
_SMALLEST = 14  # ETH_HLEN: less is refused


class TestResult(Record):
    """What a run gave. `ns` is the mean time of one run, 0 where the kernel does not measure.

    `packet` is the packet as the program left it (b"" without one), `context` the context likewise.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name

    retval: int
    packet: bytes
    ns: int
    context: bytes = b""


def run(program: LoadedProgram, packet: bytes | None, context: bytes | None, repeat: int, room: int) -> TestResult:
    """Run a program; `room` is how many bytes the packet may grow by. Raises `RunError` or `NotPermitted`."""
    what = f"test run of {program.name!r} (type {program.type})"
    if program.type in _PACKET:
        if packet is None:
            raise RunError(f"{what}: needs a packet", "give its bytes: prog.test(packet)")
        if len(packet) < _SMALLEST:
            raise RunError(
                f"{what}: a packet of {len(packet)} bytes is too short",
                f"it starts with an Ethernet header: {_SMALLEST} bytes",
            )
    elif program.type in _CONTEXT:
        if packet is not None:
            raise RunError(f"{what}: takes a context, not a packet", "prog.test(context=...)")
        if repeat != 1:
            raise RunError(f"{what}: the kernel runs these programs once", "leave `repeat` out")
    if repeat < 1:
        raise RunError(f"{what}: repeat must be at least 1, not {repeat}")
    data_in = ctypes.create_string_buffer(packet, len(packet)) if packet else None
    data_out = ctypes.create_string_buffer(len(packet) + room + 256) if packet else None
    context_in = ctypes.create_string_buffer(context, len(context)) if context else None
    # raw tracepoints can't give the context back
    gives_context = context is not None and program.type not in ("RAW_TRACEPOINT", "RAW_TRACEPOINT_WRITABLE", "SYSCALL")
    context_out = ctypes.create_string_buffer(max(len(context or b""), 256)) if gives_context else None

    def where(buffer: ctypes.Array[ctypes.c_char] | None) -> tuple[int, int]:
        return (ctypes.addressof(buffer), len(buffer)) if buffer is not None else (0, 0)

    (at_in, size_in), (at_out, size_out) = where(data_in), where(data_out)
    (ctx_in, ctx_in_size), (ctx_out, ctx_out_size) = where(context_in), where(context_out)
    times = repeat if program.type in _PACKET else 0
    attr = struct.pack(
        "<IIIIQQIIIIQQIIII", program.fd, 0, size_in, size_out, at_in, at_out, times, 0,
        ctx_in_size, ctx_out_size, ctx_in, ctx_out, 0, 0, 0, 0,
    )  # fmt: skip
    try:
        _, out = syscall.bpf_result(syscall.PROG_TEST_RUN, attr)
    except OSError as error:
        raise _failed(what, program, error) from None
    _, retval, _, size_out = struct.unpack_from("<IIII", out)
    _, duration, _, ctx_out_size = struct.unpack_from("<IIII", out, 32)
    left = data_out.raw[:size_out] if data_out is not None else b""
    # syscall programs write their context in place
    given_back = context_in if program.type == "SYSCALL" else context_out
    left_context = given_back.raw[: ctx_out_size or len(given_back)] if given_back is not None else b""
    return TestResult(_signed(retval, program), left, duration, left_context)


def _signed(retval: int, program: LoadedProgram) -> int:
    """The kernel's u32 as the program's declared type has it."""
    returns = program.spec.returns if program.spec is not None else None
    base = returns.base if isinstance(returns, EnumType) else returns
    signed = isinstance(base, IntType) and base.signed
    return retval - (1 << 32) if signed and retval >> 31 else retval


def _failed(what: str, program: LoadedProgram, error: OSError) -> RunError | NotPermitted:
    if error.errno == errno.EPERM:
        return not_permitted(what)
    if error.errno in (524, errno.EOPNOTSUPP):  # ENOTSUPP
        return RunError(
            f"{what}: the kernel can't run programs of this type on given input",
            "attach it and cause its event, or run the function in the simulator",
        )
    if error.errno == errno.EINVAL:
        help = "check the packet and the context: their sizes, and that this kind of program takes them"
        if program.type in _CONTEXT:
            help = "check the context's size: a raw tracepoint takes 8 bytes for each argument that the program reads"
        return RunError(f"{what}: {errno_name(errno.EINVAL)}", help)
    return RunError(f"{what}: {errno_name(error.errno or 0)}")


def test_program(
    program: Any, packet: bytes = b"", *, context: bytes | None = None, repeat: int = 1, room: int = 0, **globals: Any
) -> TestResult:
    """Compile and load a decorated function, run it once on given input, and close it again."""
    from pybpf.building import build
    from pybpf.runtime.object import load_object

    with load_object(build(program), globals=globals) as loaded:
        return loaded.programs[program.name].test(packet or None, context=context, repeat=repeat, room=room)


test_program.__test__ = False  # type: ignore[attr-defined]  # nor is this a test
