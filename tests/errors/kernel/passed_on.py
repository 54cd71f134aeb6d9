# python >= 3.11
"""Pointers that lie in objects of the kernel, passed to its functions."""

from pybpf import ArrayMap, TaskIter, TaskStorage, bpf_iter, helpers, tp_btf, u64

seen = ArrayMap[u64](max_entries=1)
notes = TaskStorage[u64]()


@tp_btf("kfree_skb")
def socket_of_packet(skb, location, reason, rx_sk) -> None:
    seen[0] = helpers.bpf_get_socket_cookie(skb.sk)


@tp_btf("kfree_skb")
def argument_may_be_null(skb, location, reason, rx_sk) -> None:
    seen[0] = helpers.bpf_get_socket_cookie(rx_sk)


@tp_btf("exit_mmap")
def member_may_be_null(mm) -> None:
    socket = helpers.bpf_sock_from_file(mm.exe_file)
    if mm.exe_file is not None:
        socket = helpers.bpf_sock_from_file(mm.exe_file)


@bpf_iter("task", sleepable=True)
def asleep(ctx: TaskIter) -> None:
    task = ctx.task
    if task is not None:
        note = helpers.bpf_task_storage_get(notes, task.group_leader, None, 0)
