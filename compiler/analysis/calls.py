"""What a call does to memory that only the program has: its slots, and the packet while it runs.

filled(%1 = call bpf_map_lookup_elem#1(%map, %key))        ()               it changes nothing there
filled(%2 = call bpf_probe_read_user#112(%p, 16, %x))      ((%p, 16),)      it writes 16 bytes at %p
filled(%3 = call anything_else(...))                       None             it may change all that it can reach

By kernel/bpf/helpers.c, kernel/trace/bpf_trace.c, net/core/filter.c. What maps and the kernel's own objects hold may
change with any call, and without one.
"""

from __future__ import annotations

from pybpf.compiler.ir.ops import CallHelper, Const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.ops import Op, Value

__all__ = ["filled", "fills_all", "keeps_elements"]

# They read their arguments at most: map_lookup_elem, map_update_elem, map_delete_elem, ktime_get_ns, trace_printk,
# get_prandom_u32, get_smp_processor_id, get_current_pid_tgid, get_current_uid_gid, redirect, perf_event_output,
# csum_diff, get_current_task, current_task_under_cgroup, get_numa_node_id, redirect_map, get_current_cgroup_id,
# map_push_elem, jiffies64, get_current_ancestor_cgroup_id, ktime_get_boot_ns, ringbuf_output, ringbuf_reserve,
# redirect_peer, get_current_task_btf, ktime_get_coarse_ns, trace_vprintk, ktime_get_tai_ns.
_QUIET = frozenset((
    1, 2, 3, 5, 6, 7, 8, 14, 15, 23, 25, 28, 35, 37, 42, 51, 80, 87, 118, 123, 125, 130, 131, 155, 158, 160, 177, 208,
))  # fmt: skip
# They write to one argument: which one, and which one says how many bytes (-1: none does). probe_read,
# get_current_comm, skb_load_bytes, probe_read_str, map_pop_elem, map_peek_elem, probe_read_user, probe_read_kernel,
# probe_read_user_str, probe_read_kernel_str, get_ns_current_pid_tgid, copy_from_user, xdp_load_bytes.
_FILLS = {
    4: (0, 1), 16: (0, 1), 26: (2, 3), 45: (0, 1), 88: (1, -1), 89: (1, -1), 112: (0, 1), 113: (0, 1), 114: (0, 1),
    115: (0, 1), 120: (2, 3), 148: (0, 1), 189: (2, 3),
}  # fmt: skip
# Of these and of those that are quiet: map_update_elem, map_delete_elem, map_push_elem, map_pop_elem; and what may
# sleep, copy_from_user.
_CHANGES_MAPS = frozenset((2, 3, 87, 88, 148))
# Of those that fill, the ones that write each byte whatever happens: they clear it on failure.
_FILLS_ALL = frozenset((4, 26, 112, 113, 148))


def filled(op: Op) -> tuple[tuple[Value, int | None], ...] | None:
    """Where the call may write: address and bytes (None: unknown)."""
    if type(op) is not CallHelper:
        return None
    if op.id in _QUIET:
        return ()
    place = _FILLS.get(op.id)
    if place is None or len(op.arguments) <= max(place):
        return None
    size = op.arguments[place[1]] if place[1] >= 0 else None
    return ((op.arguments[place[0]], size.value if type(size) is Const else None),)


def keeps_elements(op: Op) -> bool:
    """The call leaves the elements of maps where they are: what was looked up would be found again."""
    return type(op) is CallHelper and (op.id in _QUIET or op.id in _FILLS) and op.id not in _CHANGES_MAPS


def fills_all(op: Op) -> bool:
    """Whether it writes each byte that `filled` names, in any case."""
    return type(op) is CallHelper and op.id in _FILLS_ALL
