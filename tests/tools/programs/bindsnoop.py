"""bind() of IPv4 sockets: address, port, result. After bindsnoop of BCC."""

from pybpf import (
    HashMap,
    L,
    RingBuffer,
    Struct,
    Text,
    TracepointContext,
    be16,
    be32,
    comm,
    helpers,
    i32,
    pid,
    tid,
    tracepoint,
    u16,
    u32,
    u64,
)

AF_INET = 2


class SockaddrIn(Struct):
    family: u16
    port: be16
    addr: be32


class Bind(Struct):
    pid: u32
    ret: i32
    fd: u32
    port: u16
    addr: be32
    comm: Text[L[16]]


class Call(Struct):
    fd: u32
    address: u64


calls = HashMap[u32, Call](max_entries=10_240)
binds = RingBuffer[Bind](64 * 1024)


@tracepoint("syscalls:sys_enter_bind")
def enter(ctx: TracepointContext) -> None:
    calls[tid()] = Call(fd=ctx.fd, address=ctx.umyaddr)


@tracepoint("syscalls:sys_exit_bind")
def leave(ctx: TracepointContext) -> None:
    call = calls.get(tid())
    if call is None:
        return
    address = SockaddrIn(family=0, port=0, addr=0)
    if helpers.bpf_probe_read_user(address, 8, call.address) == 0 and address.family == AF_INET:
        binds.emit(Bind(pid=pid(), ret=ctx.ret, fd=call.fd, port=address.port, addr=address.addr, comm=comm()))
    del calls[tid()]
