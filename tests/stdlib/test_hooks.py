"""Hooks: section names as libbpf takes them, what programs are given, and mistakes in declaring them."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pybpf import (
    XDP,
    PerfEventContext,
    Program,
    PtRegs,
    RawTracepointContext,
    TracepointContext,
    XdpContext,
    i32,
    kprobe,
    kretprobe,
    ksyscall,
    perf_event,
    raw_tp,
    tracepoint,
    u32,
    u64,
    uprobe,
    uretprobe,
    usdt,
    xdp,
)
from pybpf.compiler.schema.errors import DeclarationError, DeclarationTypeError
from pybpf.compiler.schema.types import I32, NONE, TextType
from pybpf.stdlib.sections import SECTIONS
from pybpf.stdlib.tracepoints import UnknownTracepoint


class SysEnterOpenat(TracepointContext):
    filename: u64
    flags: u32


@tracepoint("syscalls:sys_enter_openat")
def enter(ctx: SysEnterOpenat) -> None:
    """Doc."""


@tracepoint("sched/sched_process_exec")
def executed(ctx: TracepointContext) -> int:
    return 0


@xdp
def drop(pkt: XdpContext) -> XDP:
    return XDP.DROP


@xdp(frags=True)
def drop_frags(pkt: XdpContext) -> XDP:
    return XDP.DROP


@uprobe("libc", "malloc")
def on_malloc(ctx: PtRegs, size: u64) -> None: ...


@uprobe("/usr/bin/python3", "PyEval_EvalCode", offset=4)
def on_code(code: u64, names: u64) -> None: ...


@uretprobe("c", "malloc")
def on_return(address: u64) -> None: ...


@raw_tp("sys_enter")
def raw(regs: u64, number: u64) -> None: ...


@raw_tp("sys_enter")
def raw_context(ctx: RawTracepointContext) -> None: ...


@raw_tp("of_some_module")
def other_raw(a: u64) -> None: ...


@kprobe("do_unlinkat")
def unlink(ctx: PtRegs, dfd: i32) -> None: ...


@kretprobe("do_unlinkat")
def unlinked(result: i32) -> None: ...


@kprobe.session("vfs_*")
def session(ctx: PtRegs) -> None: ...


@kprobe.multi(["vfs_read", "vfs_write"])
def listed(parm2: u64) -> None: ...


@ksyscall("openat")
def opening(flags: i32, filename: u64) -> None: ...


@usdt("libc", "libc", "setjmp")
def jumping(value: i32) -> None: ...


@uprobe.multi("libc", "str*", sleepable=True)
def texts(text: u64) -> None: ...


@perf_event
def sampled(ctx: PerfEventContext) -> None: ...


PROGRAMS: list[Program[..., Any]] = [
    enter, executed, drop, drop_frags, on_malloc, on_code, on_return, raw, raw_context, unlink, unlinked, session,
    listed, opening, jumping, texts, sampled,
]  # fmt: skip


def test_specs() -> None:
    assert [program.__bpf__.section for program in PROGRAMS] == [
        "tracepoint/syscalls/sys_enter_openat", "tracepoint/sched/sched_process_exec", "xdp", "xdp.frags",
        "uprobe/libc.so.6:malloc", "uprobe//usr/bin/python3:PyEval_EvalCode+0x4", "uretprobe/libc.so.6:malloc",
        "raw_tp/sys_enter", "raw_tp/sys_enter", "kprobe/do_unlinkat", "kretprobe/do_unlinkat", "kprobe.session/vfs_*",
        "kprobe.multi", "ksyscall/openat", "usdt/libc.so.6:libc:setjmp", "uprobe.multi.s/libc.so.6:str*", "perf_event",
    ]  # fmt: skip
    assert [program.__bpf__.context is not None for program in PROGRAMS] == [
        True, True, True, True, True, False, False, False, True, True, False, True, False, False, False, False, True,
    ]  # fmt: skip
    assert on_return.__bpf__.arg_offsets == (80,)
    assert listed.__bpf__.arg_offsets == (104,) and session.__bpf__.allowed == (0, 1)
    assert [value.__name__ for value in opening.__bpf__.arg_values] == ["parm3", "parm2"]
    assert raw.__bpf__.arg_offsets == (0, 8)
    assert other_raw.__bpf__.arg_offsets[:3] == (0, 8, 16)
    context = raw_context.__bpf__.context
    assert context is not None and str(context.fields[0].type) == "Array[u64, 2]"
    assert (enter.__bpf__.returns, executed.__bpf__.returns, str(drop.__bpf__.returns)) == (NONE, I32, "XDP")
    assert enter.__bpf__ is enter.__bpf__
    assert enter.__bpf__.attach == {"kind": "tracepoint", "category": "syscalls", "event": "sys_enter_openat"}
    assert on_malloc.__bpf__.attach["binary"] == "libc.so.6"


def test_parameters_are_where_the_running_kernel_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from pybpf import loading
    from pybpf.compiler.schema.record import replace
    from pybpf.stdlib.kernel import functions, names

    found = functions.function("do_unlinkat")
    assert found is not None
    assert unlink.__bpf__.arg_offsets == (112,)
    monkeypatch.setattr(names, "running_function", lambda name: replace(found, params=found.params[::-1]))
    assert loading._as_it_is_here(unlink.__bpf__).arg_offsets == (104,)
    monkeypatch.setattr(names, "running_function", lambda name: replace(found, params=found.params[1:]))
    with pytest.raises(DeclarationTypeError, match=r"do_unlinkat\(\) of this kernel has no parameter `dfd`"):
        loading._as_it_is_here(unlink.__bpf__)
    monkeypatch.setattr(names, "running_function", lambda name: None)
    assert loading._as_it_is_here(unlink.__bpf__) is unlink.__bpf__


def test_a_program_is_still_a_function() -> None:
    assert drop(None) is XDP.DROP  # type: ignore[arg-type]
    assert (drop.name, drop.section, enter.__doc__) == ("drop", "xdp", "Doc.")
    assert repr(drop) == "<Program drop (xdp)>"
    assert drop.function.__name__ == "drop"


def c_numbers(tmp_path: Path, header: str, lines: list[str]) -> list[int]:
    """The numbers that lines of C print."""
    file = tmp_path / "probe.c"
    head = [f"#include <{name}>" for name in ("stdio.h", "stddef.h", header)]
    file.write_text("\n".join([*head, "int main(void) {", *lines, "}"]))
    subprocess.run(["gcc", "-o", tmp_path / "probe", file], check=True)
    done = subprocess.run([tmp_path / "probe"], capture_output=True, text=True, check=True)
    return [int(word) for word in done.stdout.split()]


def test_registers_are_where_the_kernel_keeps_them(tmp_path: Path) -> None:
    """struct pt_regs as user space sees it (arch/x86/include/uapi/asm/ptrace.h), with its r- names."""
    spec: Any = PtRegs.__bpf__  # type: ignore[attr-defined]
    other = {"flags": "eflags", "orig_ax": "orig_rax"}
    plain = [field.name for field in spec.fields if field.name != "rc" and not field.name.startswith("parm")]
    fields = [other.get(name) or (name if name[0] == "r" or name[1] == "s" else "r" + name) for name in plain]
    lines = [f'printf("%zu\\n", offsetof(struct pt_regs, {name}));' for name in fields]
    assert c_numbers(tmp_path, "asm/ptrace.h", lines) == [spec.field(name).offset for name in plain]
    by_name = {field.name: field.offset for field in spec.fields}
    assert on_malloc.__bpf__.arg_offsets == tuple(by_name[name] for name in ("di", "si", "dx", "cx", "r8", "r9"))
    assert by_name["ax"] == by_name["rc"] == 80
    assert on_malloc.__bpf__.arg_offsets == tuple(by_name[f"parm{n}"] for n in range(1, 7))


def test_xdp_context_is_the_kernels(tmp_path: Path) -> None:
    spec: Any = XdpContext.__bpf__  # type: ignore[attr-defined]
    lines = [f'printf("%zu\\n", offsetof(struct xdp_md, {field.name}));' for field in spec.fields]
    lines += [f'printf("%d\\n", XDP_{member.name});' for member in XDP]
    assert c_numbers(tmp_path, "linux/bpf.h", lines) == [f.offset for f in spec.fields] + [int(m) for m in XDP]


def libbpf() -> ctypes.CDLL:
    for name in ("libbpf.so.1", "libbpf.so"):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    pytest.skip("the system has no libbpf (apt install libbpf1)")


def test_sections_are_libbpfs(tmp_path: Path) -> None:
    """libbpf_prog_type_by_name() gives the program type and attach type of every section that this libbpf knows."""
    library = libbpf()
    quiet = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: 0)
    library.libbpf_set_print(quiet)
    header = Path("/usr/include/linux/bpf.h").read_text()
    known = {pattern: row for pattern, row in SECTIONS.items()
             if f"BPF_PROG_TYPE_{row[0]}" in header and (row[1] == "0" or row[1] in header)}  # fmt: skip
    lines = [f'printf("%d %d\\n", BPF_PROG_TYPE_{kind}, {attach});' for kind, attach, *_ in known.values()]
    numbers = c_numbers(tmp_path, "linux/bpf.h", lines)
    seen = 0
    for pattern, *wanted in zip(known, numbers[::2], numbers[1::2]):
        section = pattern.replace("+", "/x")
        kind, attach = ctypes.c_int(-1), ctypes.c_int(-1)
        if library.libbpf_prog_type_by_name(section.encode(), ctypes.byref(kind), ctypes.byref(attach)) == 0:
            assert [kind.value, attach.value] == wanted, pattern
            seen += 1
    assert seen > 75


@pytest.mark.parametrize(
    ("make", "says", "help"),
    [
        (lambda: tracepoint("nonsense"), "'nonsense' is not the name of a tracepoint", "sched:sched_switch"),
        (lambda: raw_tp("a b"), "'a b' is not the name", "sched_switch"),
        (lambda: uprobe("", "malloc"), "takes a binary and a function", "libc"),
        (lambda: xdp(3), "@xdp decorates a function, not 3", ""),  # type: ignore[call-overload]
    ],
)
def test_wrong_hooks(make: Any, says: str, help: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        make()
    assert says in caught.value.title
    assert help in str(caught.value)


def untyped(ctx):  # type: ignore[no-untyped-def]
    pass


def no_parameter() -> None: ...


def two(ctx: TracepointContext, more: u64) -> None: ...


def packet(pkt: XdpContext) -> int:
    return 1


def seven(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64) -> None: ...


def unknown(ctx: "Nothing") -> None: ...  # type: ignore[name-defined]  # noqa: F821, UP037


@pytest.mark.parametrize(
    ("hook", "function", "says"),
    [
        (tracepoint("sched:sched_switch"), untyped, "untyped() must take `ctx: TracepointContext`, not `ctx` with"),
        (tracepoint("sched:sched_switch"), no_parameter, "must take `ctx: TracepointContext`, not no parameter"),
        (tracepoint("sched:sched_switch"), packet, "must take `pkt: TracepointContext`, not `pkt: XdpContext`"),
        (tracepoint("sched:sched_switch"), two, "@tracepoint: two() takes one parameter, the context, not 2"),
        (xdp, packet, "@xdp: packet() must be annotated to return XDP"),
        (xdp, untyped, "@xdp: untyped() must take `ctx: XdpContext`"),
        (uprobe("c", "f"), packet, "must take `pkt: PtRegs`, not `pkt: XdpContext`"),
        (uprobe("c", "f"), seven, "takes 7 values, but the hook gives at most 6"),
        (uretprobe("c", "f"), two, "must take `ctx: PtRegs`"),
        (raw_tp("sys_enter"), seven, "@raw_tp: sys_enter has 2 arguments in Linux 6.18, but seven() takes 7"),
        (uprobe("c", "f"), unknown, "unknown(): the name `Nothing` is not defined"),
    ],
)
def test_wrong_parameters(hook: Any, function: Any, says: str) -> None:
    program = hook(function)
    with pytest.raises(DeclarationTypeError) as caught:
        _ = program.__bpf__
    assert says in caught.value.title


def test_unknown_tracepoints_have_suggestions() -> None:
    for name, candidate in (
        ("syscalls:sys_enter_opennat", "syscalls:sys_enter_openat"),
        ("sched:sys_enter_openat", "syscalls:sys_enter_openat"),
        ("shed:sched_switch", "sched:sched_switch"),
    ):
        program = tracepoint(name)(two.__class__(executed.function.__code__, globals(), "f"))
        program.function.__annotations__ = {"ctx": TracepointContext}
        with pytest.raises(UnknownTracepoint) as caught:
            _ = program.__bpf__
        assert caught.value.title == f"there is no tracepoint `{name}`"
        assert candidate in caught.value.candidates
        assert f"`{candidate}`" in caught.value.help


def test_declared_fields_are_checked_against_the_format() -> None:
    spec = enter.__bpf__.context
    assert spec is not None
    flags, filename = spec.field("flags"), spec.field("filename")
    assert flags is not None and str(flags.type) == "u32" and flags.offset == 32
    assert filename is not None and str(filename.type) == "u64"

    def context(**annotations: Any) -> Any:
        return type("Declared", (TracepointContext,), {"__annotations__": annotations, "__module__": __name__})

    def spec_for(name: str, owner: Any) -> Any:
        def function(ctx: Any) -> None: ...

        function.__annotations__ = {"ctx": owner}
        return tracepoint(name)(function).__bpf__

    sized = spec_for("sched:sched_process_exec", context(filename=type_of_text(64)))
    assert sized.context.field("filename").type == TextType(64)
    for declared, says in (
        ({"filname": u64}, "Declared.filname: the tracepoint syscalls:sys_enter_openat has no such field"),
        ({"filename": u32}, "Declared.filename: declared as u32, but the tracepoint syscalls:sys_enter_openat has u64"),
        ({"flags": str}, "str has no size"),
    ):
        with pytest.raises(DeclarationTypeError) as caught:
            spec_for("syscalls:sys_enter_openat", context(**declared))
        assert says in caught.value.title


def type_of_text(size: int) -> Any:
    from pybpf import Text

    made: Any = Text
    return made[size]
