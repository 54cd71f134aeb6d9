from pybpf import XDP, Bytes, L, Struct, XdpContext, current_task, helpers, subprog, syscall, u64, xdp


class Args(Struct):
    address: u64
    start: u64


@syscall
def used_as_a_value(args: Args) -> int:
    found = helpers.bpf_find_vma(current_task(), args.address)
    return 0


@syscall
def called_as_in_c(args: Args) -> int:
    helpers.bpf_find_vma(current_task(), args.address, look, None, 0)
    return 0


@syscall
def arguments(args: Args) -> int:
    for vma in helpers.bpf_find_vma(current_task()):
        pass
    for vma in helpers.bpf_find_vma(args.address, args.address):
        pass
    for start, end in helpers.bpf_find_vma(current_task(), args.address):
        pass
    return 0


@syscall
def behind_the_loop(args: Args) -> int:
    for vma in helpers.bpf_find_vma(current_task(), args.address):
        break
    else:
        return 1
    args.start = vma.vm_start
    return 0


@syscall
def kept(args: Args) -> int:
    found = None
    for vma in helpers.bpf_find_vma(current_task(), args.address):
        found = vma
    if found is not None:
        args.start = found.vm_start
    return 0


@syscall
def sleeps(args: Args) -> int:
    head = Bytes[L[8]]()
    for vma in helpers.bpf_find_vma(current_task(), args.address):
        helpers.bpf_copy_from_user(head, 8, vma.vm_start)
    return head[0]


@subprog
def first(address: u64) -> u64:
    head = Bytes[L[8]]()
    helpers.bpf_copy_from_user(head, 8, address)
    return u64(head[0])


@syscall
def sleeps_further_down(args: Args) -> int:
    for vma in helpers.bpf_find_vma(current_task(), args.address):
        args.start = first(vma.vm_start)
    return 0


@syscall
def writes(args: Args) -> int:
    for vma in helpers.bpf_find_vma(current_task(), args.address):
        vma.vm_start = 0
    return 0


@xdp
def of_another_type(pkt: XdpContext) -> XDP:
    for vma in helpers.bpf_find_vma(current_task(), 0):
        pass
    return XDP.PASS
