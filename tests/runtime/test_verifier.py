"""Reading verifier logs: recorded ones of several kernels' formats, and this kernel's own."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pybpf import load
from pybpf.compiler.schema.record import replace
from pybpf.runtime import VerifierError, load_object, open_elf
from pybpf.runtime.meanings import MEANINGS, meaning_of
from pybpf.runtime.verifier import Origin, explain, locate, parse, render

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from pybpf.compiler.object import Object

HERE = Path(__file__).parent
LOGS = sorted((HERE / "logs").glob("*.log"))

NEW = """\
0: R1=ctx() R10=fp0
; rule = blocked.get(key) @ firewall.py:24
0: (b4) w1 = 1                        ; R1_w=1
1: (63) *(u32 *)(r10 -4) = r1         ; R1_w=1 R10=fp0 fp-8=????1
5: (85) call bpf_map_lookup_elem#1    ; R0_w=map_value_or_null(id=1,map=seen,ks=4,vs=8)
; dropped[rule.id] += 1 @ firewall.py:27
6: (79) r0 = *(u64 *)(r0 +0)
R0 invalid mem access 'map_value_or_null'
processed 7 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""

OLD = """\
; int probe(void *ctx)
0: R1=ctx(id=0,off=0,imm=0) R10=fp0
0: (b7) r1 = 0
; x = y[i]
1: (79) r2 = *(u64 *)(r1 +0)
R1 invalid mem access 'inv'
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""

BRANCHES = """\
0: R1=ctx() R10=fp0
; if a: @ b.py:3
0: (15) if r1 == 0x0 goto pc+2        ; R1=ctx()
; first @ b.py:4
1: (b7) r0 = 0                        ; R0_w=0
2: (95) exit

from 0 to 3: R1=ctx() R10=fp0
; second @ b.py:9
3: (bf) r0 = r2
R2 !read_ok
processed 4 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""

CALLS = """\
0: R1=ctx() R10=fp0
; return peek(cpu()) @ nested.py:9
0: (85) call pc+1
caller:
 R10=fp0
callee:
 frame1: R1=ctx() R10=fp0
; first(n) @ nested.py:2
2: frame1: R1=ctx() R10=fp0
2: (85) call pc+9
caller:
 frame1: R10=fp0
callee:
 frame2: R10=fp0
12: (95) exit
returning from callee:
 frame2: R0=0 R10=fp0
to caller at 3:
 frame1: R0=0 R10=fp0

from 12 to 3: frame1: R0=0 R10=fp0
; return found @ nested.py:5
3: frame1: R0=0 R10=fp0
3: (79) r0 = *(u64 *)(r0 +0)
R0 invalid mem access 'scalar'
processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""


def test_current_format() -> None:
    report = parse(NEW)
    assert report.message == "R0 invalid mem access 'map_value_or_null'"
    assert (report.insn, report.insn_text, report.processed) == (6, "r0 = *(u64 *)(r0 +0)", 7)
    (frame,) = report.frames
    assert (frame.file, frame.line, frame.text, frame.insn) == ("firewall.py", 27, "dropped[rule.id] += 1", 6)
    assert report.registers == {
        "R0": "map_value_or_null(id=1,map=seen,ks=4,vs=8)", "R1": "1", "R10": "fp0", "fp-8": "????1"
    }  # fmt: skip


def test_rendering_with_and_without_the_compilers_knowledge() -> None:
    known = Origin("firewall.py", 27, "    dropped[rule.id] += 1", 12, 16, {"r0": "rule"})
    assert render("firewall", parse(NEW), lambda insn: known if insn == 6 else None) == (
        "the kernel's verifier rejects `firewall`: `rule` may be None here\n"
        "  --> firewall.py:27:13\n"
        "   |\n"
        "27 |     dropped[rule.id] += 1\n"
        "   |             ^^^^\n"
        "   |\n"
        "note: the kernel says: R0 invalid mem access 'map_value_or_null'\n"
        "note: at instruction 6: r0 = *(u64 *)(r0 +0)\n"
        "note: R0 holds `rule`: map_value_or_null(id=1,map=seen,ks=4,vs=8)\n"
        "help: compare it with None before it is used"
    )
    assert render("firewall", parse(NEW)) == (
        "the kernel's verifier rejects `firewall`: register R0 may be None here\n"
        "  --> firewall.py:27\n"
        "   |\n"
        "27 | dropped[rule.id] += 1\n"
        "   | ^^^^^^^^^^^^^^^^^^^^^\n"
        "   |\n"
        "note: the kernel says: R0 invalid mem access 'map_value_or_null'\n"
        "note: at instruction 6: r0 = *(u64 *)(r0 +0)\n"
        "note: R0 holds map_value_or_null(id=1,map=seen,ks=4,vs=8)\n"
        "help: compare it with None before it is used"
    )


def test_format_without_line_numbers() -> None:
    report = parse(OLD)
    assert report.insn == 1 and report.message == "R1 invalid mem access 'inv'"
    assert (report.frames[0].text, report.frames[0].line) == ("x = y[i]", 0)
    assert "x = y[i]" in render("probe", report) and "is a number here" in render("probe", report)


def test_another_branch() -> None:
    report = parse(BRANCHES)
    assert (report.frames[0].line, report.insn, report.message) == (9, 3, "R2 !read_ok")
    assert report.registers == {"R1": "ctx()", "R10": "fp0"}


def test_callers() -> None:
    report = parse(CALLS)
    assert [(frame.line, frame.insn) for frame in report.frames] == [(5, 3), (9, 0)]
    text = render("outer", report)
    assert text.index("nested.py:5") < text.index("called from nested.py:9")


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_recorded_logs(path: Path, update: bool) -> None:
    """Logs of real rejections (of C programs: no variables are known), and what is made of them."""
    text = render(path.stem, parse(path.read_text())) + "\n"
    golden = path.with_suffix(".txt")
    if update:
        golden.write_text(text)
    assert text == golden.read_text()


def test_a_report_of_newer_kernels() -> None:
    whole, alone = [parse((HERE / "logs" / f"{name}.log").read_text()) for name in ("report", "report_alone")]
    assert whole.message == "R0 invalid mem access 'map_value_or_null'"
    assert whole.problem == alone.problem == "invalid pointer dereference"
    assert alone.message.startswith("R0 may be NULL on this path: it is a nullable map value pointer, and")
    assert list(whole.sections) == list(alone.sections) == ["Reason", "At", "Causal path", "Suggestion"]
    for report in (whole, alone):
        (frame,) = report.frames
        assert (report.insn, frame.file, frame.line) == (6, "firewall.py", 27)
        assert "dropped[rule.id] += 1" in frame.text and "r0 = *(u64 *)(r0 +0)" in report.insn_text


def test_every_meaning_can_be_said() -> None:
    """Each pattern is a pattern, and its sentence asks for no group that it lacks."""
    for pattern, meaning, _ in MEANINGS:
        names = dict.fromkeys(re.compile(pattern).groupindex, "1")
        assert meaning.format(who="`x`", **names)


@pytest.mark.parametrize(
    ("message", "means"),
    [
        ("R1 invalid mem access 'ringbuf_mem_or_null'", "`x` may be None here"),
        ("R1 type=sock_or_null expected=sock_common, sock, tcp_sock", "`x` may be None here"),
        ("Possibly NULL pointer passed to trusted arg0", "this value may be None here"),
        ("R1 invalid mem access 'inv'", "`x` is a number here"),
        ("R1 invalid mem access 'scalar'", "`x` is a number here"),
        ("R1 unbounded memory access, make sure to bounds check any such access", "`x` has no bound"),
        ("R1 min value is negative, either use unsigned or 'var &= const'", "`x` has no bound"),
        ("math between map_value pointer and register with unbounded min value is not allowed", "has no bound"),
        ("invalid access to map value, value_size=128 off=128 size=8\nR0 max value is outside of the allowed",
         "at byte 128 "),
        ("invalid access to memory, mem_size=8 off=8 size=4", "at byte 8 of memory of 8 bytes"),
        ("R2 invalid zero-sized read: u64=[0,64]", "may be 0"),
        ("access beyond struct task_struct at off 10000 size 4", "beyond the end of a kernel struct"),
        ("R1 leaks addr into map", "`x` is a kernel address"),
        ("R1 pointer comparison prohibited", "`x` is a kernel address"),
        ("R1 pointer arithmetic on pkt_end prohibited", "`x` is a pointer"),
        ("R0 !read_ok", "the program may end without a result"),
        ("R1 !read_ok", "`x` has no value here"),
        ("invalid indirect read from stack R3 off -16+4 size 8", "this part of the stack was never written"),
        ("invalid read from stack R3 off -16+0 size 8", "this part of the stack was never written"),
        ("combined stack size of 3 calls is 544. Too large", "need 544 bytes of stack, of 512"),
        ("misaligned stack access off 0+0+-13 size 8", "an access of 8 bytes must lie at a multiple of 8"),
        ("the call stack of 9 frames is too deep !", "nested more than 8 deep"),
        ("The sequence of 8193 jumps is too complex.", "too many paths"),
        ("function calls are not allowed while holding a lock", "nothing may be called while a spin lock is held"),
        ("BPF_EXIT instruction in main prog cannot be used inside bpf_spin_lock-ed region",
         "a spin lock is still held"),
        ("tail_call would lead to reference leak", "before the tail call"),
        ("Unreleased reference id=2 alloc_insn=12", "is not given back"),
        ("helper call might sleep in a non-sleepable prog", "may sleep, where nothing may"),
        ("program of this type cannot use helper bpf_skb_load_bytes#26", "can't call that helper"),
        ("unknown func bpf_get_current_task_btf#158", "can't call that helper"),
        ("calling kernel function bpf_task_acquire is not allowed", "can't call the kernel's bpf_task_acquire()"),
        ("cannot pass map_type 1 into func bpf_ringbuf_output#130", "bpf_ringbuf_output() does not take a map"),
        ("R1 type=scalar expected=fp, pkt, pkt_meta",
         "`x` is of the kernel's kind scalar, and this call takes fp, pkt"),
        ("dereference of modified ctx ptr R1 off=8 disallowed", "at an offset that is not constant"),
        ("invalid bpf_context access off=140 size=4", "no field of 4 bytes at byte 140"),
        ("At program exit the register R0 has smin=2 smax=2 should have been in [0, 1]",
         "this returns 2, where the hook allows 0 to 1"),
        ("At program exit the register R0 has smin=0 smax=255 should have been in [0, 1]",
         "this returns 0 to 255, where"),
        ("At program exit the register R0 has value (0x2; 0x0) should have been in (0x0; 0x1)",
         "outside what its hook allows"),
        ("func 'vfs_read' doesn't have 5-th argument", "vfs_read() has fewer arguments"),
    ],
)  # fmt: skip
def test_messages_in_terms_of_the_program(message: str, means: str) -> None:
    found = meaning_of(message, Origin("p.py", 1, variables={"r1": "x"}))
    assert found is not None and means in found[0]


@pytest.mark.parametrize(
    ("log", "insn", "meaning"),
    [
        ("jump out of range from insn 3 to 99\nprocessed 0 insns", 3, "jump out of range from insn 3 to 99"),
        ("unreachable insn 5\nprocessed 0 insns", 5, "there is code that nothing reaches"),
        ("back-edge from insn 4 to 2\nprocessed 0 insns", 4, "the verifier sees no end of this loop"),
        ("BPF program is too large. Processed 1000001 insn\nprocessed 1000001 insns", -1, "too many paths"),
        ("", -1, "no reason given"),
        ("\x00\xff nonsense ; @ : 12: (zz)\n;  @ :\nfrom to : R\n", -1, "nonsense"),
    ],
)
def test_logs_without_a_walk(log: str, insn: int, meaning: str) -> None:
    report = parse(log)
    assert report.insn == insn and meaning in explain(report)[0]
    assert render("p", report)


def test_every_prefix_of_a_log_is_read() -> None:
    for log in (NEW, OLD, BRANCHES, CALLS, *[path.read_text() for path in LOGS]):
        for end in range(0, len(log), 7):
            assert render("p", parse(log[:end]))


@pytest.mark.kernel
def test_a_real_rejection(build_c: Callable[[str], bytes]) -> None:
    with pytest.raises(VerifierError) as caught:
        open_elf(build_c("rejected"))
    error = caught.value
    assert error.program == "unchecked" and "processed" in error.log
    assert error.frames[0].text.strip().startswith("return *found;")
    if error.line:  # kernels before 6.8 give the text only
        assert error.file.endswith("rejected.bpf.c")
    assert error.report.message == "R0 invalid mem access 'map_value_or_null'"
    assert "map_value_or_null" in error.report.registers["R0"]
    assert "may be None here" in str(error) and "return *found;" in str(error)


@pytest.mark.kernel
def test_a_real_rejection_with_the_compilers_knowledge(build_c: Callable[[str], bytes]) -> None:
    class Compiled:
        elf, name = build_c("rejected"), "rejected"
        programs: dict[str, object] = {}
        maps: dict[str, object] = {}
        globals: dict[str, object] = {}

    asked = []

    def origin(program: str, insn: int) -> Origin:
        asked.append((program, insn))
        return Origin("probe.py", 7, "    return found + 1", 11, 16, {"r0": "found"})

    with pytest.raises(VerifierError, match="`found` may be None here"):
        load_object(Compiled, origin=origin)  # type: ignore[arg-type]
    assert set(asked) == {("unchecked", asked[0][1])}


@pytest.mark.kernel
def test_a_real_rejection_in_a_subprogram(build_c: Callable[[str], bytes]) -> None:
    with pytest.raises(VerifierError) as caught:
        open_elf(build_c("nested"))
    inner, outer = caught.value.frames
    assert inner.text.strip().startswith("return *found;") and outer.text.strip().startswith("return peek(")


@pytest.mark.kernel
def test_a_rejection_of_our_own_program(compiled: Object, programs: ModuleType) -> None:
    """The null check of `seen` is taken out of the bytes: the error stands on the Python line, and names `seen`."""
    code = compiled.functions["enter"]
    lines = inspect.getsource(programs).splitlines()
    check = lines.index("    if seen is not None:") + 1
    slot = next(at for at, insn in code.insns if insn.span is not None and insn.span.line == check)
    assert code.code[slot * 8] in (0x15, 0x55)  # JEQ, JNE with an immediate
    at = compiled.elf.index(code.code[8 * slot - 8 : 8 * slot + 8]) + 8
    nothing = bytes([0x05, 0, 0, 0, 0, 0, 0, 0])  # goto +0
    broken = replace(compiled, elf=compiled.elf[:at] + nothing + compiled.elf[at + 8 :])
    with pytest.raises(VerifierError) as caught:
        load(broken)
    text = str(caught.value)
    assert text.startswith("the kernel's verifier rejects `enter`: `seen` may be None here\n")
    assert f"--> kit.py:{check + 1}:" in text and f"{check + 1} |         seen.number += 1\n" in text
    assert "note: R0 holds `seen`: map_value_or_null(" in text
    assert caught.value.line == check + 1 and caught.value.file == "kit.py"


def test_frames_by_the_compilers_knowledge() -> None:
    known = Origin("probe.py", 7, "    x = y[i]", 8, 12, {"r1": "y"})
    report = locate(parse(OLD), lambda insn: known if insn == 1 else None)
    (frame,) = report.frames
    assert (frame.file, frame.line, frame.text, frame.insn) == ("probe.py", 7, "    x = y[i]", 1)
    assert locate(parse(OLD), lambda insn: None) == parse(OLD)
    bare = "jump out of range from insn 1 to 99\nprocessed 0 insns"
    assert [frame.line for frame in locate(parse(bare), lambda insn: known).frames] == [7]
    assert locate(parse(bare), lambda insn: None).frames == ()


def test_a_reason_on_the_line_of_an_instruction() -> None:
    """The kernel gives up in the middle of a line."""
    log = (
        "; if x: @ b.py:3\n5: (15) if r1 == 0x0 goto pc+2 BPF program is too large. Processed 1000001 insn\n"
        "processed 1000001 insns (limit 1000000) max_states_per_insn 4 total_states 9 peak_states 9 mark_read 0\n"
    )
    report = parse(log)
    assert (report.insn, report.insn_text) == (5, "if r1 == 0x0 goto pc+2")
    assert report.message == "BPF program is too large. Processed 1000001 insn"
    assert explain(report)[0] == "the verifier gave up: too many paths to walk"
