"""What people who know C, bcc or user-space Python write, and what a program here has instead.

Data of the diagnostics about unknown names, calls and fields. Each row is a help: a sentence that may end in a colon,
and the lines to write below it.
"""

from __future__ import annotations

__all__ = ["CALLS", "FIELDS", "FIELDS_OF", "MODULES", "NAMES"]

_SWAPPED = (
    "fields of type be16, be32 and be64 have the value that was meant, and constants are swapped when compiling: "
    "leave it out"
)
_COPY = "assign the struct, array or field: it is copied"
_TASK = "task_struct of pybpf.kernel is read by attribute, from task()"

# Names that are not defined in the user's module.
NAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    **dict.fromkeys(("htons", "htonl", "ntohs", "ntohl"), (_SWAPPED, ())),
    **dict.fromkeys(("bpf_htons", "bpf_htonl", "bpf_ntohs", "bpf_ntohl"), (_SWAPPED, ())),
    **dict.fromkeys(("NULL", "nil", "null"), ("it is called None here:", ("if entry is None:",))),
    "true": ("it is called True here", ()), "false": ("it is called False here", ()),
    **dict.fromkeys(("memcpy", "__builtin_memcpy", "bpf_memcpy"), (_COPY, ())),
    **dict.fromkeys(
        ("memset", "__builtin_memset"),
        ("a new Struct has zeros where its fields leave room: there is nothing to clear", ()),
    ),
    **dict.fromkeys(("strcmp", "strncmp", "memcmp", "bpf_strncmp"), ("compare with ==", ('if comm() == "bash":',))),
    **dict.fromkeys(("strlen",), ("a text ends at its first NUL; compare it, or send it to user space", ())),
    **dict.fromkeys(("likely", "unlikely"), ("leave it out: the condition alone will do", ())),
    **dict.fromkeys(("bpf_printk", "printf"), ("write to the kernel's trace:", ('printk(f"{pid()}")',))),
    **dict.fromkeys(
        ("BPF_CORE_READ", "bpf_core_read", "READ_ONCE", "BPF_PROBE_READ"),
        ("read kernel structs by attribute, from a type of pybpf.kernel: `task.real_parent.tgid`", ()),
    ),
    **dict.fromkeys(
        ("BPF_HASH", "BPF_TABLE", "BPF_MAP_TYPE_HASH"),
        ("declare a map at module level:", ("counts = HashMap[u32, u64](max_entries=1024)",)),
    ),
    "BPF_ARRAY": ("declare a map at module level:", ("slots = ArrayMap[u64](16)",)),
    **dict.fromkeys(
        ("BPF_PERF_OUTPUT", "BPF_RINGBUF_OUTPUT"),
        ("declare a ring buffer at module level:", ("events = RingBuffer[Event](256 * 1024)",)),
    ),
    **dict.fromkeys(
        ("PT_REGS_PARM1", "PT_REGS_PARM2", "PT_REGS_RC", "PT_REGS_PARM3", "arg0", "arg1", "arg2", "retval"),
        ("arguments, and the result of a return probe, are parameters after the context:",
         ("def probe(ctx: PtRegs, first: u64, second: u64) -> None:",)),
    ),
    **dict.fromkeys(("nsecs", "bpf_ktime", "now"), ("nanoseconds since boot:", ("ktime()",))),
    **dict.fromkeys(("curtask", "current", "get_current"), (_TASK, ())),
    "SEC": ("a decorator names the hook: @xdp, @tracepoint(...), @kprobe(...)", ()),
    "BPF": ("decorate functions with their hooks, and load them:", ("with load(probe).attach() as obj:",)),
}  # fmt: skip

# Functions by name, whatever module they come from, then modules.
CALLS: dict[str, str] = {
    **dict.fromkeys(("htons", "htonl", "ntohs", "ntohl"), _SWAPPED),
    "lock": "`with lock(value):` holds a value's spin lock for a block",
    "releasing": "`with releasing(...) as it:` gives back what is acquired, on every way out of the block",
}
MODULES: dict[str, str] = {
    "time": "ktime() gives nanoseconds since boot",
    "os": "pid(), tid(), uid() and comm() tell about the current task",
    "posix": "pid(), tid(), uid() and comm() tell about the current task",
    "random": "random() of pybpf gives a pseudo-random u32",
    "secrets": "random() of pybpf gives a pseudo-random u32",
    "threading": "tid() gives the current thread's id, cpu() the CPU",
    "socket": "constants can be computed at module level; fields of type be16 and be32 are swapped by themselves",
    "_socket": "constants can be computed at module level; fields of type be16 and be32 are swapped by themselves",
    "ipaddress": "ipv4() of pybpf.net gives an address as a constant",
    "logging": 'printk(f"...") writes to the kernel\'s trace',
    "math": "BPF has integers only; a constant can be computed at module level",
    "struct": "declare a class of Struct",
    "_struct": "declare a class of Struct",
    "ctypes": "declare a class of Struct",
    "collections": "declare a map at module level, such as HashMap[u32, u64](max_entries=1024)",
    "re": "compare texts with ==, and leave the rest to user space",
    "json": "send a Struct through a RingBuffer, and make text of it in user space",
    "datetime": "ktime() gives nanoseconds since boot",
}

# Fields that people look for in a context: in that of a struct, and in any.
FIELDS_OF: dict[str, dict[str, str]] = {
    "pt_regs": dict.fromkeys(("ret", "retval", "result"), "the result of a function that returns is `rc`"),
}
FIELDS: dict[str, str] = {
    **dict.fromkeys(("pid", "tgid"), "pid() gives the current process's id"),
    "tid": "tid() gives the current thread's id",
    "comm": "comm() gives the current task's name",
    "uid": "uid() gives the current user's id",
    "gid": "gid() gives the current group's id",
    "cpu": "cpu() gives the CPU's number",
    **dict.fromkeys(("timestamp", "ts", "time"), "ktime() gives nanoseconds since boot"),
    **dict.fromkeys(("len", "length", "size"), "the packet's length is `data_end - data`"),
    **dict.fromkeys(
        ("mark", "protocol", "priority", "ifindex", "remote_ip4", "local_port"),
        "a frame has that field only as an sk_buff, which programs behind the driver see; parse the packet's headers",
    ),
}
