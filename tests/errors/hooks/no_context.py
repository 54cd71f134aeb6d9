from pybpf import XDP, kprobe, tracepoint, xdp


@xdp
def probe() -> XDP:
    return XDP.PASS


@tracepoint("syscalls:sys_enter_openat")
def on_open() -> None:
    pass
