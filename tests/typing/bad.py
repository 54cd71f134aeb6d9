"""Mistakes that a checker must find: exactly the lines that end in a comment with a number."""

from pybpf import (
    LWT,
    TCX,
    XDP,
    Arena,
    CgroupSkbContext,
    Counter,
    DevMap,
    HashMap,
    Histogram,
    HistogramBy,
    Kptr,
    L,
    ListHead,
    ListNode,
    LwtContext,
    PerfEventArray,
    ProgArray,
    Ptr,
    PtRegs,
    RbRoot,
    RingBuffer,
    SockAddr4Context,
    SockAddr6Context,
    SocketFilterContext,
    SockMap,
    SpinLock,
    Struct,
    StructOps,
    TaskIter,
    TcContext,
    Text,
    Timer,
    TracepointContext,
    UserRingBuffer,
    XdpContext,
    bpf_iter,
    cgroup,
    comm,
    const,
    current_task,
    fetch_add,
    helpers,
    i32,
    kfuncs,
    kprobe,
    ksyscall,
    load,
    lock,
    lsm,
    lwt,
    obj_new,
    perf_event,
    pid,
    printk,
    raw_tp,
    socket_filter,
    struct_ops,
    subprog,
    syscall,
    tc,
    tracepoint,
    u32,
    u64,
    uprobe,
    usdt,
    xdp,
)
from pybpf.kernel import file, task_struct, tcp_congestion_ops, tcp_sock
from pybpf.net import ethhdr, iphdr, parse_flow


class Event(Struct):
    pid: u32
    n: u64
    comm: Text[L[16]]


class Usage(Struct):
    packets: u64


class SysEnterOpenat(TracepointContext):
    filename: u64


counts = HashMap[u32, u64](max_entries=10)
usage = HashMap[u32, Usage](max_entries=10)
events = RingBuffer[Event](4096)
limit = const(u32, "many")  # 1 default of another type


@xdp
def no_check(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    if eth.h_proto == 0x800:  # 2 no bounds check
        return XDP.DROP
    return XDP.PASS


@xdp
def no_return(pkt: XdpContext) -> XDP:  # 3 missing return
    if pkt.parse(ethhdr) is None:
        return XDP.PASS


@tracepoint("syscalls:sys_enter_openat")
def enter(ctx: TracepointContext) -> None:
    a = counts.get(1) + 1  # 4 unchecked lookup
    usage.get(1).packets += a  # 5 unchecked lookup of a struct
    events.emit(Event(pid=1))  # 6 missing fields
    events.emit(Event(pid=1, n=2, comm=comm(), z=3))  # 7 extra field
    events.emit(Usage(packets=1))  # 8 another event
    with events.reserve() as e:
        e.pid = 1  # 9 unchecked reserve
    counts["a"] = 1  # 10 wrong key
    counts[1] = "x"  # 11 wrong value
    printk(pid())  # 12 not a string
    helpers.bpf_get_smp_processor_id(1)  # 13 too many arguments
    helpers.bpf_no_such_helper()  # 14 no such helper


@xdp  # 15 wrong context
def wrong_context(regs: PtRegs) -> XDP:
    return XDP.PASS


@xdp  # 16 wrong return
def wrong_return(pkt: XdpContext) -> int:
    return 2


@tracepoint("syscalls:sys_enter_openat")  # 17 wrong context
def wrong_tracepoint(ctx: XdpContext) -> None: ...


@uprobe("libc", "malloc")  # 18 wrong context
def wrong_probe(ctx: XdpContext, size: u64) -> None: ...


@xdp
def fields(pkt: XdpContext) -> XDP:
    ip = pkt.parse(iphdr)
    if ip is not None and ip.sadr == 1:  # 19 misspelled field
        return XDP.DORP  # 20 misspelled member
    return XDP.PASS


@tracepoint("syscalls:sys_enter_openat")
def typed(ctx: SysEnterOpenat) -> None:
    counts[1] = ctx.filename
    counts[1] = typed.section  # 21 wrong value


@subprog
def add(usage: Usage, n: u32) -> u64:
    return usage.packets + n


stages = ProgArray[XdpContext, XDP](2)


@xdp
def calls(pkt: XdpContext) -> XDP:
    add(1, 2)  # 22 wrong argument of a subprogram
    stages.tail_call(1, 2)  # 23 no context
    return XDP.PASS


stages[0] = typed  # 24 program of another type


def members(task: task_struct, opened: file) -> None:
    printk(f"{opened.f_path.dentri}")  # 25 misspelled member of a kernel struct
    name: str = task.mm  # 26 pointer to a struct as text
    printk(f"{name}")


class Shared(Struct):
    lock: SpinLock = SpinLock()
    timer: Timer = Timer()
    packets: u64 = 0


shared = HashMap[u32, Shared](max_entries=10)


def expire(table: HashMap[u32, Shared], key: str, value: Shared) -> None: ...


def held(value: Shared, maybe: Shared | None) -> None:
    with lock(maybe):  # 27 no check before the lock
        pass
    value.timer.start(shared, 10, expire)  # 28 a callback for another type of key
    fetch_add(value, 1)  # 29 no number
    value.timer.stop()  # 30 no such method
    for key, hits in shared.items():
        value.packets += key + hits  # 31 a struct where a number belongs


socks = SockMap(4)


@cgroup.connect4  # 32 context of another address family
def other_family(ctx: SockAddr6Context) -> bool:
    return True


@cgroup.getpeername4  # 33 answer where none is taken
def answered(ctx: SockAddr4Context) -> bool:
    ctx.user_ip6[0] = 1  # 34 field of another address family
    return True


@cgroup.skb.egress
def sending(pkt: CgroupSkbContext) -> bool:
    return pkt.sk.family == 2  # 35 no check of the socket


@xdp
def frame(pkt: XdpContext) -> XDP:
    socks.redirect(pkt, 1)  # 36 context of another hook
    return XDP.PASS


ports = DevMap(4)


@tc  # 37 answer of another hook
def answered_wrongly(skb: TcContext) -> TCX:
    skb.wire_length = 0  # 38 no such field
    return TCX.PASS


@xdp.cpumap
def not_going_out(pkt: XdpContext) -> XDP:
    if pkt.egress_ifindex:  # 39 field of programs of device maps only
        return XDP.DROP
    return ports.redirect("eth0")  # 40 no number


@socket_filter
def of_a_socket(skb: SocketFilterContext) -> int:
    if skb.parse(ethhdr) is None:  # 41 no packet in place
        return 0
    return skb.sk.family  # 42 no check of the socket


@lwt.incoming  # 43 no such place
def arriving(skb: LwtContext) -> LWT:
    return LWT.OK


hits = Counter[u32](max_entries=16)
latency = Histogram()
latencies = HistogramBy[u32](max_entries=16)


@xdp
def sums(pkt: XdpContext) -> XDP:
    hits["a"] += 1  # 44 another key
    latency.record("long")  # 45 not a number
    latencies.record(5)  # 46 no value
    flow = parse_flow(pkt)
    if flow.dport == 80:  # 47 no flow
        return XDP.DROP
    return XDP.PASS


def shown() -> None:
    obj = load(sums)
    print(obj[latency].bucket())  # 48 misspelled method
    first: str = obj[hits].most_common(1)[0][1]  # 49 a count
    print(first)


@kprobe.session("vfs_*")  # 50 no registers of a session
def of_session(ctx: TracepointContext) -> int:
    return 0


@kprobe.multi(3)  # 51 no pattern
def of_many(ctx: PtRegs) -> None: ...


@usdt("libc", "setjmp")  # 52 no name of the probe
def of_library(buffer: u64) -> None: ...


@perf_event  # 53 no context of an event
def of_event(ctx: PtRegs) -> None: ...


@ksyscall("openat")
def of_call(ctx: PtRegs, flags: u64) -> None:
    ctx.parm1 = "x"  # 54 no number


@raw_tp.writable("bpf_test_finish")  # 55 nothing that can be changed
def of_number(error: u32) -> None: ...


@lsm.cgroup("socket_bind")  # 56 no answer
def without_answer() -> None: ...


@bpf_iter("task")  # 57 no context of an iterator
def of_a_packet(ctx: XdpContext) -> None: ...


@bpf_iter("task")
def unchecked(ctx: TaskIter) -> None:
    ctx.seq_printf(ctx.task.comm)  # 58 no check of the task


@syscall  # 59 no struct
def of_a_number(ctx: int) -> int:
    return ctx


class Table(StructOps, of=tcp_congestion_ops):
    @struct_ops  # 60 no number
    def ssthresh(self, sk: tcp_sock) -> str:
        return "two"


samples = PerfEventArray[Event](pages=8)
commands = UserRingBuffer[Event](4096)


@tracepoint("sched:sched_switch")
def sends_a_number(ctx: TracepointContext) -> None:
    samples.emit(7)  # 61 no event
    for number in commands.drain():
        print(number.nonesuch)  # 62 no such field


@tracepoint("sched:sched_switch")
def loops_over_tasks(ctx: TracepointContext) -> None:
    for task in kfuncs.bpf_iter_task(1, 0):  # 63 no task
        print(task + 1)  # 64 no number


class Link(Struct):
    next: Ptr["Link"]


class Args(Struct):
    key: u64


arena = Arena(100, page=4096)  # 65 no such argument
links = arena.var(Link)


@syscall
def follow(ctx: Args) -> i32:
    links.next.next = None  # 66 unchecked pointer
    links.next = 5  # 67 a number for a pointer
    node = arena.alloc(Link)
    node.next = None  # 68 unchecked allocation
    return 0


raw = RingBuffer[bytes](4096)


@tracepoint("sched:sched_switch")
def sends_records(ctx: TracepointContext) -> None:
    with raw.reserve(40) as record:
        part = record.data(Event)
        part.pid = 1  # 69 no check of the slice
        record.submit()  # 70 no such method
    helpers.bpf_ringbuf_discard_dynptr(raw, 0)  # 71 no dynptr


class Item(Struct):
    number: u64
    node: ListNode = ListNode()


class Items(Struct):
    lock: SpinLock = SpinLock()
    head: ListHead[Item] = ListHead()
    kept: Kptr[Item] = Kptr()
    tree: RbRoot[Event] = RbRoot()


lists = HashMap[u32, Items](max_entries=4)


def by_number(a: Item, b: Item) -> bool:
    return a.number < b.number


@xdp
def keeps(pkt: XdpContext) -> XDP:
    items = lists.get(1)
    item = obj_new(Item)  # 72 no number
    event = obj_new(Event, pid="one")  # 73 no number either
    if items is None or item is None or event is None:
        return XDP.PASS
    with lock(items):
        items.head.push_back(event)  # 74 no item
        items.tree.add(event, by_number)  # 75 orders items
        print(items.head.pop_front().number)  # 76 perhaps none
    items.kept.exchange(7)  # 77 no object
    print(items.kept.get().number)  # 78 perhaps none
    return XDP.PASS


@tracepoint("sched:sched_switch")
def finds_a_mapping(ctx: TracepointContext) -> None:
    for vma in helpers.bpf_find_vma(current_task(), "here"):  # 79 no address
        print(vma + 1)  # 80 no number
    print(helpers.bpf_find_vma(current_task(), 0) + 1)  # 81 no number
