from pybpf import XDP, Struct, Target, XdpContext, kernel, kfuncs, releasing, syscall, u64, xdp

TARGET = Target(kernel=(6, 18))


class Args(Struct):
    value: u64


@xdp
def used_as_a_value(pkt: XdpContext) -> XDP:
    numbers = kfuncs.bpf_iter_num(0, 9)
    return XDP.PASS


@xdp
def by_hand(pkt: XdpContext) -> XDP:
    kfuncs.bpf_iter_num_new(0, 1, 2)
    return XDP.PASS


@xdp
def behind_the_loop(pkt: XdpContext) -> XDP:
    for task in kfuncs.bpf_iter_task(None, kernel.BPF_TASK_ITER_ALL_PROCS):
        if task.pid == 1:
            break
    else:
        return XDP.PASS
    if task.tgid == 1:
        return XDP.DROP
    return XDP.PASS


@xdp
def of_the_iteration_before(pkt: XdpContext) -> XDP:
    count, last = 0, None
    for task in kfuncs.bpf_iter_task(None, kernel.BPF_TASK_ITER_ALL_PROCS):
        if last is not None and last.pid == 1:
            count += 1
        last = task
    return XDP.PASS


@xdp
def arguments(pkt: XdpContext) -> XDP:
    for number in kfuncs.bpf_iter_num(9):
        pass
    for number in kfuncs.bpf_iter_nums(9):
        pass
    for first, second in kfuncs.bpf_iter_num(0, 9):
        pass
    return XDP.PASS


@syscall
def outside_of_a_section(args: Args) -> int:
    for task in kfuncs.bpf_iter_task(None, kernel.BPF_TASK_ITER_ALL_PROCS):
        args.value += 1
    return 0


@syscall
def ends_the_section(args: Args) -> int:
    kfuncs.bpf_rcu_read_lock()
    for task in kfuncs.bpf_iter_task(None, kernel.BPF_TASK_ITER_ALL_PROCS):
        kfuncs.bpf_rcu_read_unlock()
    return 0


@xdp
def must_sleep(pkt: XdpContext) -> XDP:
    with releasing(kfuncs.bpf_cgroup_from_id(1)) as group:
        if group is not None:
            for task in kfuncs.bpf_iter_css_task(group.self, 0):
                pass
    for cache in kfuncs.bpf_iter_kmem_cache():
        pass
    return XDP.PASS


@xdp
def not_trusted(pkt: XdpContext) -> XDP:
    for task in kfuncs.bpf_iter_task(None, kernel.BPF_TASK_ITER_ALL_PROCS):
        for thread in kfuncs.bpf_iter_task(task, kernel.BPF_TASK_ITER_PROC_THREADS):
            pass
    return XDP.PASS


@xdp
def held_in_the_loop(pkt: XdpContext) -> XDP:
    for task in kfuncs.bpf_iter_task(None, kernel.BPF_TASK_ITER_ALL_PROCS):
        held = kfuncs.bpf_task_acquire(task)
        if held is None:
            continue
        if held.pid == 1:
            break
        kfuncs.bpf_task_release(held)
    return XDP.PASS
