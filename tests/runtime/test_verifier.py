"""Reading verifier logs: recorded ones of several kernels' formats, and this kernel's own."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from pybpf import load
from pybpf.compiler.schema.record import replace
from pybpf.runtime import VerifierError, load_object, open_elf
from pybpf.runtime.verifier import Origin, explain, locate, parse, render

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from pybpf.compiler.object import Object

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

STRUCTURED = """\
0: R1=ctx() R10=fp0
; x = found @ s.py:4
0: (79) r0 = *(u64 *)(r0 +0)
Reason: R0 invalid mem access 'map_value_or_null'
Causal path:
  0: the value comes from bpf_map_lookup_elem
  4: it is read without a check
Suggestion: compare it with NULL first
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
        "   --> firewall.py:27:13\n"
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
        "   --> firewall.py:27\n"
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


def test_structured_format() -> None:
    report = parse(STRUCTURED)
    assert report.message == "R0 invalid mem access 'map_value_or_null'" and report.frames[0].line == 4
    assert report.sections["Causal path"].splitlines()[1] == "  4: it is read without a check"
    text = render("s", report)
    assert "note: suggestion: compare it with NULL first" in text and "it is read without a check" in text


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
    for log in (NEW, OLD, BRANCHES, CALLS, STRUCTURED):
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
