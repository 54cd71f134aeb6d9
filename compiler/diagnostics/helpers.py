"""E062x: calls of helpers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised, between, listed
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator


__all__ = [
    "HelperArguments", "HelperFormat", "HelperMap", "HelperNeedsGpl", "HelperNotAllowed", "HelperNotThere",
    "HelperSleeps", "HelperUnsupported", "MapOfSleeper", "SizeOutOfRange", "TooNew",
]  # fmt: skip


class HelperArguments(Diagnostic):
    """A kernel helper is called with a wrong number of arguments, or by keyword.

    Helpers take all of their arguments, in the kernel's order.

        helpers.bpf_map_update_elem(counts, pid(), 1)        # fails
        helpers.bpf_map_update_elem(counts, pid(), 1, 0)     # works
    """

    name: str
    written: str
    takes: tuple[str, ...]
    given: int
    by_keyword: bool
    signature: str

    code = "E0620"
    title = "`{name}()` takes {count}, not {given}"
    label = "{given} given"

    def texts(self) -> tuple[str, str]:
        if self.by_keyword:
            return f"`{self.name}()` takes its arguments by position", "by keyword"
        takes = len(self.takes)
        count = "no arguments" if not takes else f"{takes} argument{'s' if takes > 1 else ''}"
        return f"`{self.name}()` takes {count}, not {self.given}", f"{self.given} given"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("write:", (f"{self.written}({', '.join(self.takes)})",))
        if self.signature:
            yield Note(f"the kernel's prototype: {self.signature}")


# The decorators that make programs of a type (`enum bpf_prog_type`), and what a program of it is called.
_HOOKS = {
    "KPROBE": "@kprobe, @kretprobe, @uprobe, @uretprobe", "TRACEPOINT": "@tracepoint", "RAW_TRACEPOINT": "@raw_tp",
    "XDP": "@xdp", "SCHED_CLS": "@tc, @tcx, @netkit", "SCHED_ACT": "@action", "SOCKET_FILTER": "@socket_filter",
    "LWT_IN": "@lwt.in_", "LWT_OUT": "@lwt.out", "LWT_XMIT": "@lwt.xmit", "LWT_SEG6LOCAL": "@lwt.seg6local",
    "FLOW_DISSECTOR": "@flow_dissector", "NETFILTER": "@netfilter", "LIRC_MODE2": "@lirc_mode2",
    "CGROUP_SKB": "@cgroup.skb", "CGROUP_SOCK": "@cgroup.sock_create", "CGROUP_SOCK_ADDR": "@cgroup.connect4",
    "CGROUP_DEVICE": "@cgroup.dev", "CGROUP_SYSCTL": "@cgroup.sysctl", "CGROUP_SOCKOPT": "@cgroup.getsockopt",
    "SOCK_OPS": "@sockops", "SK_SKB": "@sk_skb", "SK_MSG": "@sk_msg", "SK_REUSEPORT": "@sk_reuseport",
    "SK_LOOKUP": "@sk_lookup", "PERF_EVENT": "@perf_event", "TRACING": "@tp_btf, @fentry, @fexit, @bpf_iter",
    "LSM": "@lsm", "EXT": "@freplace", "SYSCALL": "@syscall",
}  # fmt: skip
_PROGRAMS = {
    "KPROBE": "a kprobe or uprobe", "TRACEPOINT": "a tracepoint program", "RAW_TRACEPOINT": "a raw tracepoint program",
    "XDP": "an XDP program", "SCHED_CLS": "a traffic control program", "SCHED_ACT": "a traffic control action",
    "SOCKET_FILTER": "a socket filter", "LWT_IN": "a program of @lwt.in_", "LWT_OUT": "a program of @lwt.out",
    "LWT_XMIT": "a program of @lwt.xmit", "LWT_SEG6LOCAL": "a program of @lwt.seg6local",
    "FLOW_DISSECTOR": "a flow dissector", "NETFILTER": "a netfilter program", "LIRC_MODE2": "an infrared decoder",
    "CGROUP_SKB": "a program at a cgroup's packets", "SOCK_OPS": "a program of @sockops",
    "SK_SKB": "a program of @sk_skb", "SK_MSG": "a program of @sk_msg", "SK_REUSEPORT": "a program of @sk_reuseport",
    "SK_LOOKUP": "a program of @sk_lookup", "PERF_EVENT": "a program of @perf_event",
    "SYSCALL": "a program of @syscall",
}  # fmt: skip
_NO_TASK = "a packet belongs to no task: tell packets apart by what is in them"
# What does the same for another type of program.
_PARSE = "use pkt.parse(header), which compares with the packet's end"
_SAME = {
    ("SCHED_CLS", "bpf_xdp_adjust_head"): "use skb.adjust_room(count), or skb.change_head(count)",
    ("SCHED_CLS", "bpf_xdp_adjust_tail"): "use skb.change_tail(length)",
    ("SCHED_CLS", "bpf_xdp_load_bytes"): "use skb.load_bytes(offset, into)",
    ("SCHED_CLS", "bpf_xdp_store_bytes"): "use skb.store_bytes(offset, value)",
    ("SCHED_CLS", "bpf_xdp_get_buff_len"): "the packet's length is skb.len",
    ("SCHED_CLS", "bpf_redirect_map"): "use skb.redirect(ifindex)",
    ("FLOW_DISSECTOR", "bpf_skb_pull_data"): _PARSE,
    ("XDP", "bpf_skb_load_bytes"): "use bpf_xdp_load_bytes(pkt, offset, buffer, size), or pkt.parse(header)",
    ("XDP", "bpf_skb_load_bytes_relative"): "use bpf_xdp_load_bytes(pkt, offset, buffer, size), or pkt.parse(header)",
    ("XDP", "bpf_skb_store_bytes"): "use bpf_xdp_store_bytes(pkt, offset, buffer, size)",
    ("XDP", "bpf_skb_pull_data"): _PARSE,
    ("XDP", "bpf_skb_change_head"): "use bpf_xdp_adjust_head(pkt, delta)",
    ("XDP", "bpf_skb_change_tail"): "use bpf_xdp_adjust_tail(pkt, delta)",
    ("XDP", "bpf_skb_adjust_room"): "use bpf_xdp_adjust_head(pkt, delta), and write the new headers",
    ("XDP", "bpf_clone_redirect"): "use bpf_redirect(ifindex, flags), which moves the packet instead of a copy",
    ("XDP", "bpf_redirect_peer"): "use bpf_redirect(ifindex, flags)",
    ("XDP", "bpf_l3_csum_replace"): "use bpf_csum_diff(...), and store the checksum into the header",
    ("XDP", "bpf_l4_csum_replace"): "use bpf_csum_diff(...), and store the checksum into the header",
    ("XDP", "bpf_get_current_comm"): _NO_TASK,
    ("XDP", "bpf_get_current_uid_gid"): _NO_TASK,
}


class HelperNotAllowed(Diagnostic):
    """A helper that the kernel does not let this type of program call.

    Which helper may be called from where is the kernel's table. Often there is another helper for this program.

        @xdp
        def probe(pkt: XdpContext) -> XDP:
            header = Bytes[L[14]]()
            helpers.bpf_skb_load_bytes(pkt, 0, header, sizeof(header))     # fails
            helpers.bpf_xdp_load_bytes(pkt, 0, header, sizeof(header))     # works
    """

    name: str
    number: int
    program: str
    allowed: tuple[str, ...]
    later: str = ""  # the release since when it is allowed, where the program is built for older ones

    code = "E0621"
    title = "{program} can't call `{name}`"
    label = "not allowed here"

    def texts(self) -> tuple[str, str]:
        kind, _, attached = self.program.partition("/")
        program = _PROGRAMS.get(kind, f"a program of type {kind.lower()}")
        if attached:
            program += " without an attach type" if attached == "0" else f" attached as {attached}"
        return f"{program} can't call `{self.name}`", self.label

    def more(self) -> Iterator[Label | Note | Help]:
        same = _SAME.get((self.program.partition("/")[0], self.name), "")
        if same:
            yield Help(same)
        hooks = ", ".join([_HOOKS[p] for p in self.allowed if p in _HOOKS])
        if hooks:
            yield Help(f"it can be called from programs of {hooks}")
        else:
            kinds = listed(tuple([_lower(name) for name in self.allowed]), 20)
            yield (Note if same else Help)(f"the kernel has it for programs of the types {kinds}")
        if self.later:
            yield Help(f"Linux {self.later} lets it: build for newer kernels only, --target {self.later}")
        yield Note(f"the kernel would say: program of this type cannot use helper {self.name}#{self.number}")


def _lower(key: str) -> str:
    """A type of programs as the user reads it: `tracing (BPF_TRACE_ITER)`."""
    kind, _, attached = key.partition("/")
    return f"{kind.lower()} ({attached})" if attached else kind.lower()


class HelperNotThere(Diagnostic):
    """A helper that the kernel lets this type of program call at certain places only.

    It takes locks, or sleeps, in ways that are known to be safe at those places; or sets a result, where there is one.

        @fentry("vfs_read")
        def probe(file: file) -> None:
            helpers.bpf_d_path(file.f_path, buffer, 64)      # fails: "vfs_fallocate" works
    """

    name: str
    section: str
    places: tuple[str, ...]

    code = "E0628"
    title = "`{name}` can't be called at {section}"
    label = "not allowed here"

    def more(self) -> Iterator[Label | Note | Help]:
        if not self.places:
            yield Help("leave it out: nobody takes an answer there")
            yield Note("the kernel would say: attach to void LSM hooks can't modify return value")
            return
        yield Help(f"attach the program to one of {listed(self.places, 20)}")
        yield Note("the kernel would say: helper call is not allowed in probe")


class HelperNeedsGpl(Advised):
    """A helper that only programs under a licence compatible with the GPL may call.

    The licence is part of the object, and "GPL" if nothing else is said. Here `target=Target(license=...)` said so.

        build(probe, target=Target(license="Proprietary"))       # fails
        build(probe, target=Target(license="Dual BSD/GPL"))      # works
    """

    name: str
    license: str

    code = "E0622"
    title = "`{name}` needs a GPL-compatible licence, and this program is under {license!r}"
    label = "GPL only"
    way_out = "compile it under the GPL, or without this helper:"
    lines = ('target=Target(license="Dual BSD/GPL")',)
    why = "the kernel would say: cannot call GPL-restricted function from non-GPL compatible program"


# Helpers that do the same without waiting for memory to be read in.
_AWAKE = {
    "bpf_arena_alloc_pages": "an object that is there already: of an array in `arena.var(...)`, or of user space",
    "bpf_arena_free_pages": "a program that may sleep to free it, or let user space do it",
    "bpf_copy_from_user": "bpf_probe_read_user(dst, size, address), or user_bytes(address)",
    "bpf_copy_from_user_task": "bpf_probe_read_user(dst, size, address), or user_bytes(address)",
}


class HelperSleeps(Diagnostic):
    """A helper that may sleep, in a program that may not.

    Reading user memory may have to wait for the disk. Programs that can't wait read what is there, and get an error
    for what is not.

        helpers.bpf_copy_from_user(head, 16, ctx.buf)      # fails
        helpers.bpf_probe_read_user(head, 16, ctx.buf)     # works
    """

    name: str
    program: str

    code = "E0623"
    title = "`{name}` may sleep, and `{program}` runs where nothing may"
    label = "may sleep"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"use {_AWAKE.get(self.name, 'a helper that does not sleep')}")
        yield Note("the kernel would say: helper call might sleep in a non-sleepable prog")


_PLAINLY = {
    "bpf_loop": "write a for loop over range()",
    "bpf_for_each_map_elem": "write a for loop: for key, value in m.items()",
    "bpf_trace_printk": 'write printk(f"...")',
    "bpf_trace_vprintk": 'write printk(f"...")',
    "bpf_snprintf": "write it as a literal, or a string constant of the module",
    "bpf_seq_printf": "write it as a literal, or a string constant of the module",
    "bpf_strncmp": 'compare texts with ==, as in comm() == "sshd"',
    "bpf_user_ringbuf_drain": "write a for loop: for command in m.drain()",
    "bpf_timer_set_callback": "write value.timer.start(table, delay, callback)",
    "bpf_timer_init": "write value.timer.start(table, delay, callback)",
    "bpf_timer_start": "write value.timer.start(table, delay, callback)",
    "bpf_timer_cancel": "write value.timer.cancel()",
    "bpf_kptr_xchg": "keep a number that tells the object, such as its pid, and look it up again",
    "bpf_per_cpu_ptr": "declare it: name = ksym(u32, \"name\", percpu=True), and ask per_cpu(name, cpu)",
    "bpf_this_cpu_ptr": "declare it: name = ksym(u32, \"name\", percpu=True), and read it",
}
_ARGUMENTS = {"func": "a callback function", "fmt": "a constant string", "key": "a map's key", "value": "a map's value"}


class MapOfSleeper(Diagnostic):
    """A map of a type that programs which may sleep can't use.

    The kernel frees what such maps hold without waiting for programs that sleep.

        @uprobe("libc", "malloc", sleepable=True)
        def probe(size: u64) -> None:
            samples.emit(size)            # fails where `samples` is a PerfEventArray, works where it is a RingBuffer
    """

    name: str
    kind: str
    program: str
    since: str

    code = "E0629"
    title = "`{program}` may sleep, and can't use `{name}`, a map of type {kind}"
    label = "not in a program that may sleep"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.since:
            yield Help(f"Linux {self.since} lets it: build for newer kernels only, --target {self.since}")
        else:
            yield Help("use a hash, an array, a ring buffer, or storage of tasks, sockets, inodes or cgroups")
        yield Note("the kernel would say: Sleepable programs can only use array, hash, ringbuf and local storage maps")


class HelperFormat(Diagnostic):
    """The size of what a format shows is not 8 bytes for each of its conversions.

    The numbers come in an array of u64, one after the other; texts by their addresses.

        helpers.bpf_snprintf(text, 16, "%d %d", numbers, 8)       # fails: two conversions
        helpers.bpf_snprintf(text, 16, "%d %d", numbers, 16)      # works
    """

    what: str
    format: str
    count: int
    lo: int
    hi: int

    code = "E0630"
    title = "{what} must be {size}: the format has {conversions}"
    label = "this is {lo}"

    def texts(self) -> tuple[str, str]:
        conversions = "no conversion" if not self.count else f"{self.count} conversion{'s' if self.count > 1 else ''}"
        title = f"{self.what} must be {8 * self.count}: the format has {conversions}"
        return title, f"this is {self.lo}" if self.lo == self.hi else "not a constant"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Note(f"the format is {self.format!r}, and each number that it shows takes 8 bytes")


class HelperUnsupported(Diagnostic):
    """A helper with an argument of a kind that a program can't give: a callback, a string made at run time.

    What such helpers are for is written in the language itself.

        helpers.bpf_loop(10, step, None, 0)       # fails

        for i in range(10):                       # works
            step(i)
    """

    name: str
    argument: str
    kind: str

    code = "E0624"
    title = "`{argument}` of `{name}` can't be given from a program"
    label = ""

    def texts(self) -> tuple[str, str]:
        return super().texts()[0], f"must be {_ARGUMENTS.get(self.kind, self.kind)}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(_PLAINLY.get(self.name, "use another helper"))


class SizeOutOfRange(Diagnostic):
    """The size given to a helper is larger than the memory before it, or may be zero where it must not.

    The verifier refuses a call that could write past the object.

        head = Bytes[L[16]]()
        helpers.bpf_probe_read_user(head, ctx.count, ctx.buf)             # fails
        helpers.bpf_probe_read_user(head, min(ctx.count, 16), ctx.buf)    # works
        helpers.bpf_probe_read_user(head, sizeof(head), ctx.buf)          # works
    """

    text: str
    what: str
    memory: str
    least: int
    most: int
    lo: int
    hi: int

    code = "E0625"
    title = "{what} must lie between {least} and {most}, the size of `{memory}`"
    label = ""

    def texts(self) -> tuple[str, str]:
        if self.lo == self.hi:
            return super().texts()[0], f"this is {self.lo}"
        if self.hi <= self.most:
            return super().texts()[0], "may be 0" if self.lo == 0 else "may be negative"
        return super().texts()[0], f"not known to be at most {self.most}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help("pass the object's own size:", (f"sizeof({self.memory})",))
        if self.lo != self.hi:
            if self.lo >= self.least:
                yield Help("or bound it:", (f"min({self.text}, {self.most})",))
            elif self.lo == 0:
                yield Help("or bound it, in a variable:", (f"n = min({self.text}, {self.most})", "if n > 0:"))
            yield Note(between(self.lo, self.hi))


class TooNew(Diagnostic):
    """A helper or a kind of map that the oldest kernel which the program is built for does not have.

    `pybpf build --target 6.1` says which kernel that is (6.1 unless told); what is loaded at once, with `load()` or
    `pybpf run`, is compiled for the running kernel.

        events = RingBuffer[Event](4096)    # fails with --target 5.4, works with --target 5.8
    """

    what: str
    since: str
    target: str

    code = "E0626"
    title = "{what} needs Linux {since}, and the program is built for {target}"
    label = "not in Linux {target}"

    def more(self) -> Iterator[Label | Note | Help]:
        yield Help(f"build it for newer kernels: --target {self.since}")


# What to use with a map in place of a helper that does not take it.
_METHODS = {
    "SOCKMAP": "use its methods, as in `{map}.get(key)`, which gives a reference to the socket",
    "SOCKHASH": "use its methods, as in `{map}.get(key)`, which gives a reference to the socket",
    "REUSEPORT_SOCKARRAY": "use `{map}.select(pkt, key)`",
    "RINGBUF": "send records with `{map}.emit(...)`, or fill one in `with {map}.reserve() as record:`",
    "HASH": "use `{map}.get(key)`, `{map}[key] = value` and `del {map}[key]`",
    "ARRAY": "use `{map}[index]`",
}


class HelperMap(Diagnostic):
    """A helper is given a map of a type that it does not take.

    What is done with most maps is a method of theirs, so that helpers need not be called for it.

        counts = HashMap[u32, u64](max_entries=64)
        events = RingBuffer[Event](4096)

        helpers.bpf_ringbuf_output(counts, event, sizeof(event), 0)      # fails
        helpers.bpf_ringbuf_output(events, event, sizeof(event), 0)      # works
        events.emit(event)                                               # works
    """

    name: str
    map: str
    kind: str
    wanted: tuple[str, ...]  # the only types that it takes; none: it takes all but some

    code = "E0627"
    title = "`{name}` does not take the map `{map}`"
    label = "a map of type {kind}"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.wanted:
            yield Help(f"give it a map of type {' or '.join(self.wanted)}")
        for kind, methods in _METHODS.items():
            if self.kind.endswith(kind):
                yield Help(methods.format(map=self.map))
                break
        yield Note(f"the kernel would say: cannot pass map_type {self.kind} into func {self.name}")
