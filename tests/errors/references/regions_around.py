from pybpf import Bytes, L, Struct, Target, helpers, kernel, kfuncs, releasing, subprog, syscall, u32, u64

TARGET = Target(kernel=(6, 18))


class Args(Struct):
    value: u64


def asleep(address: u64) -> None:
    text = Bytes[L[8]]()
    helpers.bpf_copy_from_user(text, 8, address)


def counted() -> u64:
    total = u64(0)
    for task in kfuncs.bpf_iter_task(None, kernel.BPF_TASK_ITER_ALL_PROCS):
        total += 1
    return total


def section() -> None:
    with releasing(kfuncs.bpf_rcu_read_lock()):
        pass


@syscall
def called_inside(args: Args) -> int:
    asleep(args.value)
    with releasing(kfuncs.bpf_rcu_read_lock()):
        args.value = counted()
        asleep(args.value)
        section()
    return 0


@syscall
def called_outside(args: Args) -> int:
    args.value = counted()
    return 0


@syscall
def of_its_own(args: Args) -> int:
    def number() -> u64:
        return counted()

    with releasing(kfuncs.bpf_rcu_read_lock()):
        args.value = number()
    if args.value == 3:
        kfuncs.bpf_preempt_disable()
    asleep(args.value)
    return 0


@subprog
def read(address: u64) -> u32:
    asleep(address)
    return 0


@subprog
def read_twice(address: u64) -> u32:
    return read(address) + read(address + 8)


@syscall
def by_subprograms(args: Args) -> int:
    read_twice(args.value)
    with releasing(kfuncs.bpf_rcu_read_lock()):
        read_twice(args.value)
    return 0
