"""Which helpers take which types of maps: kernel/bpf/verifier.c, check_map_func_compatibility(), of Linux 6.18.

Names are those of `enum bpf_map_type` without BPF_MAP_TYPE_. A helper that is in neither table takes any type that the
second one does not keep to itself.
"""

from __future__ import annotations

__all__ = ["kinds_for"]

# Helpers that take maps of these types only.
_OF_HELPER: dict[str, str] = {
    "bpf_tail_call": "PROG_ARRAY",
    "bpf_perf_event_read": "PERF_EVENT_ARRAY", "bpf_perf_event_output": "PERF_EVENT_ARRAY",
    "bpf_perf_event_read_value": "PERF_EVENT_ARRAY", "bpf_skb_output": "PERF_EVENT_ARRAY",
    "bpf_xdp_output": "PERF_EVENT_ARRAY",
    "bpf_ringbuf_output": "RINGBUF", "bpf_ringbuf_reserve": "RINGBUF", "bpf_ringbuf_query": "RINGBUF",
    "bpf_ringbuf_reserve_dynptr": "RINGBUF", "bpf_user_ringbuf_drain": "USER_RINGBUF",
    "bpf_get_stackid": "STACK_TRACE",
    "bpf_current_task_under_cgroup": "CGROUP_ARRAY", "bpf_skb_under_cgroup": "CGROUP_ARRAY",
    "bpf_redirect_map": "DEVMAP DEVMAP_HASH CPUMAP XSKMAP",
    "bpf_sk_redirect_map": "SOCKMAP", "bpf_msg_redirect_map": "SOCKMAP", "bpf_sock_map_update": "SOCKMAP",
    "bpf_sk_redirect_hash": "SOCKHASH", "bpf_msg_redirect_hash": "SOCKHASH", "bpf_sock_hash_update": "SOCKHASH",
    "bpf_get_local_storage": "CGROUP_STORAGE PERCPU_CGROUP_STORAGE",
    "bpf_sk_select_reuseport": "REUSEPORT_SOCKARRAY SOCKMAP SOCKHASH",
    "bpf_map_pop_elem": "QUEUE STACK", "bpf_map_peek_elem": "QUEUE STACK BLOOM_FILTER",
    "bpf_map_push_elem": "QUEUE STACK BLOOM_FILTER",
    "bpf_map_lookup_percpu_elem": "PERCPU_ARRAY PERCPU_HASH LRU_PERCPU_HASH",
    "bpf_sk_storage_get": "SK_STORAGE", "bpf_sk_storage_delete": "SK_STORAGE",
    "bpf_inode_storage_get": "INODE_STORAGE", "bpf_inode_storage_delete": "INODE_STORAGE",
    "bpf_task_storage_get": "TASK_STORAGE", "bpf_task_storage_delete": "TASK_STORAGE",
    "bpf_cgrp_storage_get": "CGRP_STORAGE", "bpf_cgrp_storage_delete": "CGRP_STORAGE",
}  # fmt: skip

# Types of maps that no other helpers take than those above that name them, and these.
_OF_MAP: dict[str, str] = {
    "PROG_ARRAY": "", "PERF_EVENT_ARRAY": "", "RINGBUF": "", "USER_RINGBUF": "", "STACK_TRACE": "", "CGROUP_ARRAY": "",
    "CGROUP_STORAGE": "", "PERCPU_CGROUP_STORAGE": "", "CPUMAP": "", "REUSEPORT_SOCKARRAY": "", "QUEUE": "",
    "STACK": "", "BLOOM_FILTER": "", "SK_STORAGE": "", "INODE_STORAGE": "", "TASK_STORAGE": "", "CGRP_STORAGE": "",
    "DEVMAP": "bpf_map_lookup_elem", "DEVMAP_HASH": "bpf_map_lookup_elem", "XSKMAP": "bpf_map_lookup_elem",
    "ARRAY_OF_MAPS": "bpf_map_lookup_elem", "HASH_OF_MAPS": "bpf_map_lookup_elem",
    "SOCKMAP": "", "SOCKHASH": "",  # lookups give references, and who may delete depends: methods of the maps do it
}  # fmt: skip


def kinds_for(helper: str) -> tuple[frozenset[str], frozenset[str]]:
    """The only types of maps that a helper takes (empty: no such list), and those that it does not take."""
    only = frozenset(_OF_HELPER.get(helper, "").split())
    if only:
        return only, frozenset()
    return only, frozenset([kind for kind, also in _OF_MAP.items() if helper not in also.split()])
