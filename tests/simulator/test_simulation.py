"""What a Simulation offers to tests: input, maps, globals, memory, helpers, errors, tracebacks."""

from __future__ import annotations

import traceback

import pytest

from pybpf import XDP
from pybpf.compiler.diagnostics.base import CompileError
from pybpf.simulator import Simulation, SimulationError
from tests.simulator import programs as p


def test_a_full_hash_refuses_and_an_lru_hash_forgets() -> None:
    sim = Simulation(cpu=1, cpus=2)
    for key in (1, 2, 1, 3):
        sim.run(p.fill_maps, key=key)
    assert dict(sim[p.small]) == {1: 1, 2: 2}
    assert dict(sim[p.recent]) == {1: 1, 3: 3}
    assert sim[p.percpu][1] == [0, 2]
    sim.cpu = 0
    sim.run(p.fill_maps, key=1)
    assert sim[p.percpu][1] == [1, 2]
    assert sim[p.percpu][1].sum() == 3


def test_maps_are_typed_mappings() -> None:
    sim = Simulation()
    sim[p.small][7] = 1
    sim[p.small] = {8: 2}
    assert list(sim[p.small].items()) == [(8, 2)]
    with pytest.raises(OverflowError, match="small"):
        sim[p.small][1 << 32] = 0
    with pytest.raises(KeyError):
        sim[p.small][5]
    sim[p.small][1] = 1
    with pytest.raises(OverflowError, match="full"):
        sim[p.small][2] = 1
    assert len(sim[p.slots]) == 4
    with pytest.raises(KeyError):
        sim[p.slots][4] = p.Point(x=1, y=1)
    with pytest.raises(TypeError, match="no map or global"):
        sim[3]


def test_references_are_live() -> None:
    sim = Simulation()
    for _ in range(3):
        sim.run(p.walk, key=6)
    assert dict(sim[p.points]) == {p.Point(x=6, y=1): p.Point(x=3, y=3000)}
    assert sim[p.slots][2] == p.Point(x=3, y=0)


def test_reservations() -> None:
    sim = Simulation(pid=9, user_memory={0x1000: "a long name", 0x2000: "skip"})
    sim.run(p.note, address=0x1000)
    sim.run(p.note, address=0x2000)
    assert sim[p.notes] == [p.Note(who=9, name="a long ", values=[0, 100, 200, 44])]
    while not sim.printed:
        sim.run(p.note, address=0x1000)
    assert sim.printed == ["full"]
    assert len(sim[p.notes]) == 4096 // 24
    assert sim[p.notes].poll()[0].who == 9
    sim.run(p.note, address=0x1000)
    assert len(sim[p.notes]) == 1


def test_globals_and_inline_arrays() -> None:
    sim = Simulation()
    sim.run(p.globals_and_args, args=[0xFFFF_FFFF_FFFF_FFFF, 10])
    sim.run(p.globals_and_args, args=[0xFFFF_FFFF_FFFF_FFFF, 11])
    assert sim[p.total] == 16
    assert sim.printed == ["   11 -1 ffffffffffffffff%"]
    other = Simulation(threshold=9, total=0)
    other.run(p.globals_and_args, args=[0, 10])
    assert (other[p.total], other[p.threshold]) == (10, 9)
    assert p.globals_and_args.simulate(context=bytes(8) + b"\xff" + bytes(7))[p.total] == 5 + 255


def test_time_cpu_and_random_numbers_repeat() -> None:
    lines = []
    for _ in range(2):
        sim = Simulation(cpu=3, seed=4)
        sim.run(p.clock, address=0)
        lines += sim.printed
    assert lines[0] == lines[1]
    assert lines[0].startswith("1000 3 ")


def test_packets() -> None:
    packet = bytes(12) + b"\x08\x00" + b"\x45\x05" + bytes(6) + b"\x00\x06" + bytes(10)
    result = p.shorten.simulate(packet)
    assert result.retval == XDP.TX
    assert result.packet[22:34] == b"\xff\x06" + bytes(6) + b"\x0a\x00\x00\x01"
    assert p.shorten.simulate(packet + bytes(5)).retval == XDP.PASS
    assert p.shorten.simulate(packet[:-1]).retval == XDP.DROP
    assert p.shorten.simulate(b"").retval == XDP.ABORTED


def test_input_that_does_not_fit_is_explained() -> None:
    with pytest.raises(SimulationError, match="needs a packet"):
        p.shorten.simulate()
    with pytest.raises(SimulationError, match="takes no packet"):
        p.note.simulate(b"123")
    with pytest.raises(TypeError, match="did you mean 'address'"):
        p.note.simulate(adress=1)
    with pytest.raises(OverflowError, match="address"):
        p.note.simulate(address=1 << 64)


def test_unknown_helper_can_be_supplied() -> None:
    sim = Simulation()
    with pytest.raises(SimulationError, match=r"bpf_send_signal\(\) has no simulation"):
        sim.run(p.stack, address=0)
    sent = []
    sim.helper("bpf_send_signal", sent.append)
    sim.run(p.stack, address=0)
    assert sent == [9]
    with pytest.raises(SimulationError, match="no helper"):
        sim.helper("bpf_send_signals", sent.append)


def test_tracebacks_show_the_user_s_lines_and_variables() -> None:
    with pytest.raises(SimulationError) as caught:
        p.traced.simulate(address=21)
    frames = [f for f in traceback.extract_tb(caught.value.__traceback__) if f.filename == p.__file__]
    assert [(f.name, f.line) for f in frames] == [
        ("traced", 'printk(f"{fail_inside(local)}")'),
        ("fail_inside", "return helpers.bpf_get_current_ancestor_cgroup_id(2) + value"),
    ]
    inner = caught.value.__traceback__
    while inner is not None and inner.tb_frame.f_code.co_name != "traced":
        inner = inner.tb_next
    assert inner is not None
    assert inner.tb_frame.f_locals["local"] == 42


def test_simulations_do_not_share_and_with_does() -> None:
    p.fill_maps.simulate(key=1)
    assert p.fill_maps.simulate(key=2)[p.small].keys() == {2}
    with Simulation() as sim:
        p.fill_maps.simulate(key=1)
        with Simulation() as inner:
            p.fill_maps.simulate(key=2)
            assert dict(p.small) == {2: 2}
        p.fill_maps.simulate(key=2)
        assert dict(p.small) == {1: 1, 2: 2}
    assert dict(sim[p.small]) == {1: 1, 2: 2}
    assert dict(inner[p.small]) == {2: 2}
    with pytest.raises(RuntimeError, match="declaration"):
        dict(p.small)


def test_programs_are_checked_as_for_the_kernel() -> None:
    from tests.simulator import wrong

    with pytest.raises(CompileError, match="may be None"):
        wrong.unchecked.simulate(key=1)
