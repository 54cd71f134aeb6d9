"""Kernel helpers in a simulation: by kernel name, functions of the simulation and the helper's arguments.

Arguments are numbers, places of memory, or tables for maps; the result is the helper's number (or a place, or None for
a null pointer). A helper that is not here is an error that says how to supply it: `Simulation.helper`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.simulator.dynptrs import DYNPTR_HELPERS
from pybpf.simulator.kept import KEPT_HELPERS
from pybpf.simulator.memory import Place, Ref, Spaces
from pybpf.simulator.packets import PACKET_HELPERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.simulator.simulation import Simulation
    from pybpf.simulator.tables import Ring, Table

__all__ = ["HELPERS"]

EFAULT = 14
_NEXT_TIME = 1000  # ns that pass between two looks at the clock


def _ktime(sim: Simulation) -> int:
    sim.time += _NEXT_TIME
    return sim.time - _NEXT_TIME


def _pid_tgid(sim: Simulation) -> int:
    return sim.pid << 32 | sim.tid


def _uid_gid(sim: Simulation) -> int:
    return sim.gid << 32 | sim.uid


def _comm(sim: Simulation, buf: Place, size: int) -> int:
    buf.write(sim.comm.encode("utf-8", "surrogateescape")[: min(size, 16) - 1].ljust(size, b"\0"))
    return 0


def _probe_read(space: str) -> Callable[[Simulation, Place, int, int], int]:
    def read(sim: Simulation, dst: Place, size: int, address: Any) -> int:
        found = address.read(size) if isinstance(address, Place) else _space(sim, space).read(address, size)
        dst.write(found if found is not None else bytes(size))
        return 0 if found is not None else -EFAULT

    return read


def _probe_read_str(space: str) -> Callable[[Simulation, Place, int, int], int]:
    def read(sim: Simulation, dst: Place, size: int, address: Any) -> int:
        if isinstance(address, Place):
            found: bytes | None = address.text(size)[: size - 1]
        else:
            found = _space(sim, space).string(address, size)
        if found is None:
            dst.write(bytes(size))
            return -EFAULT
        dst.write(found + b"\0")
        return len(found) + 1

    return read


def _bits(sim: Simulation, words: Any, count: int) -> list[int]:
    """The numbers of the bits that are set in so many words of 64 bits."""
    found = words.read(8 * count) if isinstance(words, Place) else _space(sim, "kernel").read(words, 8 * count)
    whole = int.from_bytes(found or b"", "little")
    return [number for number in range(64 * count) if whole >> number & 1]


def _space(sim: Simulation, name: str) -> Spaces:
    return sim.user if name == "user" else sim.kernel


def _lookup(sim: Simulation, table: Table, key: Place) -> Any:
    memory = table.find(_bytes(table.key_type, key))
    return None if memory is None else Ref(memory, 0, table.value_type)


def _update(sim: Simulation, table: Table, key: Place, value: Place, flags: int) -> int:
    return table.put(_bytes(table.key_type, key), _bytes(table.value_type, value), flags)


def _delete(sim: Simulation, table: Table, key: Place) -> int:
    return table.remove(_bytes(table.key_type, key))


def _bytes(type: Any, value: Any) -> bytes:
    from pybpf.simulator.tables import to_bytes

    return to_bytes(type, value)


def _output(sim: Simulation, ring: Ring, data: Place, size: int, flags: int) -> int:
    return ring.output(data.read(size))


def _reserve(sim: Simulation, ring: Ring, size: int, flags: int) -> Ref | None:
    record = ring.reserve(size)
    if record.ref is not None:
        sim.reserved[id(record.ref.memory)] = record
    return record.ref


def _finish(keep: bool) -> Callable[[Simulation, Ref, int], int]:
    def finish(sim: Simulation, memory: Ref, flags: int) -> int:
        record = sim.reserved.pop(id(memory.memory))
        record.ring.finish(record, keep)
        return 0

    return finish


def _strncmp(sim: Simulation, s1: Place, size: int, s2: Place) -> int:
    one, two = s1.text(size)[:size], s2.text(size)[:size]
    return (one > two) - (one < two)


def _string(value: Any) -> bytes:
    """The string at a place, or of an address where nothing was put: empty."""
    return value.text(1 << 16) if isinstance(value, Place) and value.type is None else _sized(value)


def _sized(value: Any) -> bytes:
    from pybpf.compiler.schema.types import size_of

    return value.text(size_of(value.type)) if isinstance(value, Place) and value.type is not None else b""


def _strcmp(sim: Simulation, one: Any, two: Any) -> int:
    a, b = _string(one), _string(two)
    return (a > b) - (a < b)


def _perf_output(sim: Simulation, context: Any, ring: Any, flags: int, data: Any, size: int) -> int:
    from pybpf.simulator.buffers import perf_output

    return perf_output(sim, ring, flags, data, size)


HELPERS: dict[str, Callable[..., Any]] = {
    "bpf_rcu_read_lock": lambda sim: 0,
    "bpf_rcu_read_unlock": lambda sim: 0,
    "bpf_preempt_disable": lambda sim: 0,
    "bpf_preempt_enable": lambda sim: 0,
    "bpf_strcmp": _strcmp,
    "bpf_strlen": lambda sim, text: len(_string(text)),
    "bpf_sk_release": lambda sim, sk: 0,
    "bpf_map_lookup_elem": _lookup,
    "bpf_map_update_elem": _update,
    "bpf_map_delete_elem": _delete,
    "bpf_tail_call": lambda sim, context, programs, index: sim[programs].tail_call(context, index),
    "bpf_probe_read": _probe_read("kernel"),
    "bpf_probe_read_kernel": _probe_read("kernel"),
    "bpf_probe_read_user": _probe_read("user"),
    "bpf_copy_from_user": _probe_read("user"),
    "bpf_probe_read_str": _probe_read_str("kernel"),
    "bpf_probe_read_kernel_str": _probe_read_str("kernel"),
    "bpf_probe_read_user_str": _probe_read_str("user"),
    "bpf_ktime_get_ns": _ktime,
    "bpf_ktime_get_boot_ns": _ktime,
    "bpf_ktime_get_coarse_ns": _ktime,
    "bpf_ktime_get_tai_ns": _ktime,
    "bpf_jiffies64": lambda sim: _ktime(sim) // 4_000_000,
    "bpf_get_current_pid_tgid": _pid_tgid,
    "bpf_get_current_uid_gid": _uid_gid,
    "bpf_get_current_comm": _comm,
    "bpf_iter_num": lambda sim, start, end: range(start, end),
    "bpf_iter_bits": lambda sim, words, count: _bits(sim, words, count),
    "bpf_get_current_task": lambda sim: sim.current_task(),
    "bpf_get_current_task_btf": lambda sim: sim.current_task(),
    "bpf_current_task_under_cgroup": lambda sim, groups, index: groups.holds(index, 1),
    "bpf_get_current_cgroup_id": lambda sim: 1,
    "bpf_get_smp_processor_id": lambda sim: sim.cpu,
    "bpf_get_numa_node_id": lambda sim: 0,
    "bpf_get_prandom_u32": lambda sim: sim.random.getrandbits(32),
    "bpf_perf_event_output": _perf_output,
    "bpf_ringbuf_output": _output,
    "bpf_ringbuf_reserve": _reserve,
    "bpf_ringbuf_submit": _finish(True),
    "bpf_ringbuf_discard": _finish(False),
    "bpf_strncmp": _strncmp,
    **DYNPTR_HELPERS,
    **PACKET_HELPERS,
    **KEPT_HELPERS,
}
