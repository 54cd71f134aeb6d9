"""Helpers that the lowering itself calls, as (name, number in `enum bpf_func_id`, include/uapi/linux/bpf.h)."""

from __future__ import annotations

from pybpf.compiler.frontend.moves import MOVES_PACKET

__all__ = [
    "BPF_NOEXIST", "DYNPTR_READ", "FILLS_ALL", "FOR_EACH_MAP_ELEM", "INT_BEFORE_6_4", "LOOP", "MAP_DELETE",
    "MAP_LOOKUP", "MAP_PEEK", "MAP_POP", "MAP_PUSH", "MAP_UPDATE", "MOVES_PACKET", "PROBE_READ_KERNEL",
    "PROBE_READ_KERNEL_STR", "PROBE_READ_USER", "PROBE_READ_USER_STR", "RINGBUF_DISCARD", "RINGBUF_OUTPUT",
    "RINGBUF_RESERVE", "RINGBUF_SUBMIT", "SEQ_PRINTF", "SPIN_LOCK", "SPIN_UNLOCK", "TAIL_CALL", "THIS_CPU_PTR",
    "TIMER_CANCEL", "TIMER_INIT", "TIMER_SET_CALLBACK", "TIMER_START", "TRACE_PRINTK", "TRACE_VPRINTK",
    "USER_RINGBUF_DRAIN",
]  # fmt: skip

MAP_LOOKUP = ("bpf_map_lookup_elem", 1)
MAP_UPDATE = ("bpf_map_update_elem", 2)
MAP_DELETE = ("bpf_map_delete_elem", 3)
TAIL_CALL = ("bpf_tail_call", 12)
MAP_PUSH = ("bpf_map_push_elem", 87)
MAP_POP = ("bpf_map_pop_elem", 88)
MAP_PEEK = ("bpf_map_peek_elem", 89)
TRACE_PRINTK = ("bpf_trace_printk", 6)
PROBE_READ_USER = ("bpf_probe_read_user", 112)
PROBE_READ_KERNEL = ("bpf_probe_read_kernel", 113)
PROBE_READ_USER_STR = ("bpf_probe_read_user_str", 114)
PROBE_READ_KERNEL_STR = ("bpf_probe_read_kernel_str", 115)
RINGBUF_OUTPUT = ("bpf_ringbuf_output", 130)
RINGBUF_RESERVE = ("bpf_ringbuf_reserve", 131)
RINGBUF_SUBMIT = ("bpf_ringbuf_submit", 132)
RINGBUF_DISCARD = ("bpf_ringbuf_discard", 133)
SPIN_LOCK = ("bpf_spin_lock", 93)
SPIN_UNLOCK = ("bpf_spin_unlock", 94)
TIMER_INIT = ("bpf_timer_init", 169)
TIMER_SET_CALLBACK = ("bpf_timer_set_callback", 170)
TIMER_START = ("bpf_timer_start", 171)
TIMER_CANCEL = ("bpf_timer_cancel", 172)
FOR_EACH_MAP_ELEM = ("bpf_for_each_map_elem", 164)
TRACE_VPRINTK = ("bpf_trace_vprintk", 177)
THIS_CPU_PTR = ("bpf_this_cpu_ptr", 154)
LOOP = ("bpf_loop", 181)
SEQ_PRINTF = ("bpf_seq_printf", 126)
DYNPTR_READ = ("bpf_dynptr_read", 201)
USER_RINGBUF_DRAIN = ("bpf_user_ringbuf_drain", 209)

# Helpers that programs call as the map's own function, which gave an int with anything in the register's upper half:
# bpf_map_update_elem, delete, push, pop, peek (d7ba4cc900bf, "bpf: return long from bpf_map_ops funcs").
INT_BEFORE_6_4 = frozenset((2, 3, 87, 88, 89))

BPF_NOEXIST = 1  # flag of MAP_UPDATE: only a new key

# Helpers that write every byte of the memory they fill, whatever happens: bpf_probe_read and its _user and _kernel
# kind, bpf_skb_load_bytes, bpf_copy_from_user, bpf_get_stack (each clears it on failure). The _str kinds stop after the
# NUL; and so does bpf_get_current_comm in 6.1, where it is strscpy without the padding of other kernels.
# kernel/trace/bpf_trace.c, kernel/bpf/helpers.c, net/core/filter.c.
FILLS_ALL = frozenset((4, 26, 67, 112, 113, 148))
