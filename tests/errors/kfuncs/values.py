from pybpf import XDP, Struct, Target, XdpContext, helpers, kfunc, kfuncs, releasing, tp_btf, u64, xdp

TARGET = Target(kernel=(6, 18))


class Buffer(Struct):
    first: u64


@kfunc
def my_named(name__str: str) -> u64: ...


@kfunc
def my_filled(into: Buffer, into__sz: u64) -> u64: ...


@xdp
def packets(pkt: XdpContext) -> XDP:
    name = "a" if pkt.rx_queue_index else "b"
    buffer = Buffer(first=0)
    total = my_named(name) + my_filled(buffer, 16) + my_filled(name, 1)
    return XDP.DROP if total else XDP.PASS


@tp_btf("sys_enter")
def calls(regs, number) -> None:
    task = helpers.bpf_get_current_task_btf()
    with releasing(kfuncs.bpf_task_acquire(task.real_parent)) as parent:
        pass
    kfuncs.bpf_copy_from_user_str(Buffer(first=0), 8, 0, 0)
