"""BPF_PROG_TEST_RUN, through `program.test()`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pybpf.runtime import RunError, open_elf

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.runtime import LoadedObject

pytestmark = pytest.mark.kernel


def test_xdp(obj: LoadedObject) -> None:
    program = obj.programs["ingress"]
    packet = bytes(range(200))
    result = program.test(packet)
    assert result.retval == 2 and result.packet == b"\x42" + packet[1:]
    assert program.test(packet[:60]).retval == 1
    assert obj["array"][0] == 2
    timed = program.test(packet, repeat=1000)
    assert obj["array"][0] == 1002 and 0 < timed.ns < 100_000


def test_syscall_program(build_c: Callable[[str], bytes]) -> None:
    with open_elf(build_c("kit")) as obj:
        result = obj.programs["sum"].test(context=(37).to_bytes(8, "little") + bytes(8))
    assert result.retval == 7 and result.packet == b""
    assert int.from_bytes(result.context[8:16], "little") == 42


def test_raw_tracepoint(obj: LoadedObject) -> None:
    program = obj.programs["raw"]
    result = program.test(context=b"".join(value.to_bytes(8, "little") for value in (0, 110)))
    assert result.retval == 0 and obj["hash"][1] == 1
    with pytest.raises(RunError, match=r"EINVAL.*\nhelp: check the context's size"):
        program.test(context=bytes(8))


def test_a_program_that_is_not_loaded(programs: Any) -> None:
    assert programs.ingress.test(bytes(200)).retval == programs.XDP.PASS
    assert programs.ingress.test(bytes(60), repeat=10).ns > 0


def test_errors(obj: LoadedObject) -> None:
    with pytest.raises(RunError, match="needs a packet"):
        obj.programs["ingress"].test()
    with pytest.raises(RunError, match=r"13 bytes is too short\nhelp: it starts with an Ethernet header"):
        obj.programs["ingress"].test(bytes(13))
    with pytest.raises(RunError, match="repeat must be at least 1"):
        obj.programs["ingress"].test(bytes(64), repeat=0)
    with pytest.raises(RunError, match="takes a context, not a packet"):
        obj.programs["raw"].test(bytes(64))
    with pytest.raises(RunError, match="the kernel runs these programs once"):
        obj.programs["raw"].test(context=bytes(16), repeat=5)
    for name in ("enter", "on_labs"):
        with pytest.raises(RunError, match="can't run programs of this type on given input\nhelp: attach it"):
            obj.programs[name].test()
