"""The verifier's log, read back: which instruction failed, on which line of Python, holding what, and why.

In: the kernel's log text, and where the compiler left debug information a function from instruction index to
`Origin` (line, columns, register -> Python variable). Out: a `VerifierReport`, and its rendering as a diagnostic.

The log (kernel/bpf/verifier.c, log.c) at level 1 walks the rejected path:

    ; rule = blocked.get(key) @ firewall.py:24        source line (the place since 6.8; only the text before)
    12: (85) call bpf_map_lookup_elem#1     ; R0_w=map_value_or_null(id=1,...)
    13: (61) r1 = *(u32 *)(r0 +0)
    R0 invalid mem access 'map_value_or_null'
    processed 14 insns (limit 1000000) ...

with `from 5 to 9: R0=...` where it turns to another branch and `caller:` / `callee:` around calls of subprograms. Newer
kernels (kernel/bpf/diagnostics.c) go on with a report of its own, whose sections are kept as they stand:

    Verification failed: Memory Safety: Possible null dereference

    Reason:
      R0 may be NULL here ...

    At:
      probe @ firewall.py:27:13
      Source context:
      >>> 27 |     dropped[rule.id] += 1
             |             ^-- error: ...
      Instruction context:
      >>> 13 | r1 = *(u32 *)(r0 +0)

    Causal path:
      ...

    Suggestion:
      ...
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pybpf.compiler.schema.record import Record, factory, replace

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Origin", "VerifierFrame", "VerifierReport", "explain", "locate", "parse", "render", "snippet"]


class Origin(Record):
    """What the compiler knows about an instruction. Lines are 1-based, columns 0-based; `end_col` 0: not known.

    `variables` names the Python variables that registers hold before the instruction: {"r1": "rule"}.
    """

    file: str
    line: int
    text: str = ""
    col: int = 0
    end_col: int = 0
    variables: dict[str, str] = factory(dict)


class VerifierFrame(Record):
    """A source line that the failing path stands on; `insn` is the instruction's index in the loaded program."""

    file: str
    line: int
    text: str
    insn: int


class VerifierReport(Record):
    """What a log says. `insn` is -1 where no instruction was reached.

    `message` is the kernel's reason, `registers` the last known states ({"R0": "scalar()"}), `frames` the failing line
    and then the lines that called its function. A newer kernel's report gives `problem`, its headline, and `sections`,
    its paragraphs by heading.
    """

    message: str
    insn: int = -1
    insn_text: str = ""
    frames: tuple[VerifierFrame, ...] = ()
    registers: dict[str, str] = factory(dict)
    sections: dict[str, str] = factory(dict)
    processed: int = 0
    problem: str = ""


_INSN = re.compile(r"^(\d+): \(([0-9a-f]{2})\) (.*)$")
_STATE = re.compile(r"^(?:(\d+): |from (\d+) to (\d+)(?: \([^)]*\))?: )?\s*(?:frame(\d+): ?)?(R\d+(?:_[rwD]+)?=.*)$")
_SOURCE = re.compile(r"^; (.*?)(?: @ (.+):(\d+))?$")
_REGISTER = re.compile(r"(?:^|\s)(R\d+|fp-?\d+|refs?|cb)(?:_[rwD]+)?=")
_PROCESSED = re.compile(r"^processed (\d+) insns")
_FAILED = re.compile(r"^Verification failed: (?:[A-Z][\w ]*: )?(.+)$")
_HEADING = re.compile(r"^(Reason|At|Causal path|Suggestion|Note|Help)s?:\s*(.*)$")
_AT = re.compile(r"^\s*(?:[\w.]+ @ )?(\S+):(\d+):(\d+)$")  # in a report: the function, file, line and column
# in a report: the line, or the instruction, that it is about
_MARKED = re.compile(r"^\s*>>> +(\d+) \| (?:\([0-9a-f]{2}\) )?(.*)$")
_NAMED_INSN = re.compile(r"\b(?:insn|at) (\d+)\b")
_WRAPPED = re.compile(r"^\s+\|\s+(\S.*)$")  # in a report: more of a label
# At log level 2 this may follow an instruction on its line (kernel/bpf/verifier.c, do_check).
_RUN_ON = "BPF program is too large."
# lines that are neither an instruction nor a reason
_NOISE = re.compile(
    r"^(func#\d+ @\d+|Live regs before insn:|\s*\d+: [.\d]{5,} .*|verification time |stack depth |mark_precise:"
    r"|last_idx |regs=\w+ stack=|parent (didn't|already)|Validating |caller:|callee:|to caller at"
    r"|Func#\d+ .*is safe|arg#\d+ reference type|reg type unsupported|BPF_STACK|propagating |from \d+ to \d+: safe"
    r"|from \d+ to \d+:?$|\d+: safe|max_states|btf_vmlinux is malformed)"
)


class _Reader:
    """Walks the log once; what it holds at the end is the state at the failure."""

    def __init__(self) -> None:
        self.place: tuple[str, int, str] = ("", 0, "")  # file, line, text of the last source annotation
        self.insn = -1
        self.insn_text = ""
        self.registers: dict[str, str] = {}
        self.calls: list[VerifierFrame] = []
        self.after: list[str] = []  # what stands between the last instruction and the end
        self.places: dict[int, tuple[str, int, str]] = {}
        self.sections: dict[str, str] = {}
        self.heading = ""
        self.processed = 0
        self.problem = ""

    def line(self, line: str) -> None:
        stripped = line.rstrip()
        if not stripped:
            return
        before, found, rest = stripped.partition(_RUN_ON)
        if before and found:
            self.line(before)
            stripped = found + rest
        if match := _FAILED.match(stripped):
            self.problem = match[1][0].lower() + match[1][1:]
            self.heading = "Problem"
        elif match := _HEADING.match(stripped):
            self.heading = match[1].capitalize()
            self.sections[self.heading] = match[2]
        elif match := _INSN.match(stripped):
            self.instruction(int(match[1]), match[3])
        elif match := _PROCESSED.match(stripped):
            self.processed = int(match[1])
            self.heading = ""
        elif self.heading:
            self.sections[self.heading] = f"{self.sections.get(self.heading, '')}\n{stripped}".lstrip("\n")
        elif match := _STATE.match(stripped):
            self.state(match)
        elif stripped.startswith("; ") and (match := _SOURCE.match(stripped)):
            self.place = (match[2] or "", int(match[3] or 0), match[1])
        elif stripped == "caller:":
            self.calls.append(VerifierFrame(*self.place, self.insn))
        elif stripped.startswith("returning from callee:"):
            if self.calls:
                self.calls.pop()
        elif not _NOISE.match(stripped):
            self.after.append(stripped.strip())

    def instruction(self, index: int, text: str) -> None:
        text, _, state = text.partition(" ; ")
        if index in self.places and self.place == ("", 0, ""):
            self.place = self.places[index]
        self.insn, self.insn_text = index, text.rstrip()
        self.places[index] = self.place
        self.after = []
        if state:
            self.registers.update(_registers(state))

    def state(self, match: re.Match[str]) -> None:
        depth = int(match[4] or 0)
        found = _registers(match[5])
        if match[3] is not None:  # another branch: a whole state, in the frame that it says
            self.registers = found
            del self.calls[depth:]
            # The kernel repeats a source line only when it changes.
            self.place = self.places.get(int(match[3]), self.place)
        else:
            self.registers.update(found)
        self.after = []


def _registers(text: str) -> dict[str, str]:
    found = list(_REGISTER.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return {match[1]: text[match.end() : end].strip() for match, end in zip(found, ends)}


def parse(log: str) -> VerifierReport:
    """Read a verifier log of any kernel; what is not understood is left out, never an error."""
    reader = _Reader()
    for line in log.splitlines():
        reader.line(line)
    sections = {heading: _dedented(text) for heading, text in reader.sections.items() if heading != "Problem"}
    message = "\n".join(reader.after) or " ".join(sections.get("Reason", "").split()) or reader.problem
    insn, text, place = reader.insn, reader.insn_text, reader.place
    if insn < 0 and "At" in sections:
        insn, text, place = _reported(reader.sections["At"])
    if insn < 0 and (named := _NAMED_INSN.search(message)):  # checks before the walk name the instruction in words
        insn = int(named[1])
    frames: list[VerifierFrame] = []
    if place[1] or place[2]:
        frames.append(VerifierFrame(*place, insn))
    frames += reversed(reader.calls)
    return VerifierReport(
        message, insn, text, tuple(frames), reader.registers, sections, reader.processed, reader.problem
    )


def _dedented(text: str) -> str:
    """A section without the indentation that all its lines have."""
    lines = text.split("\n")
    margin = min([len(line) - len(line.lstrip()) for line in lines if line.strip()], default=0)
    return "\n".join([line[margin:] for line in lines])


def _reported(section: str) -> tuple[int, str, tuple[str, int, str]]:
    """Instruction, its text, and the place of a report's "At", for logs that hold nothing else."""
    insn, text, place = -1, "", ("", 0, "")
    for line in section.split("\n"):
        if match := _AT.match(line):
            place = (match[1], int(match[2]), place[2])
        elif match := _MARKED.match(line):
            if int(match[1]) == place[1] and not place[2]:
                place = (place[0], place[1], match[2])
            else:
                insn, text = int(match[1]), match[2]
    return insn, text, place


def locate(report: VerifierReport, origin: Callable[[int], Origin | None]) -> VerifierReport:
    """The report with its frames as the compiler knows them: older kernels don't give file and line."""
    frames = []
    for frame in report.frames or ((VerifierFrame("", 0, "", report.insn),) if report.insn >= 0 else ()):
        known = origin(frame.insn) if frame.insn >= 0 else None
        frames.append(VerifierFrame(known.file, known.line, known.text, frame.insn) if known is not None else frame)
    return replace(report, frames=tuple(frame for frame in frames if frame.line or frame.text))


def explain(report: VerifierReport, origin: Origin | None = None) -> tuple[str, str]:
    """(what the kernel's message means, what helps); for one that is not known the kernel's own words."""
    from pybpf.runtime.meanings import meaning_of

    known = meaning_of(report.message, origin)
    if known is not None:
        return known
    first = report.problem or report.message.split("\n")[0] or "no reason given"
    return first, " ".join(report.sections.get("Suggestion", "").split())


def render(program: str, report: VerifierReport, origin: Callable[[int], Origin | None] = lambda insn: None) -> str:
    """The report as a diagnostic on the Python line, in the form of the compiler's own, less its `error: `."""
    known = origin(report.insn) if report.insn >= 0 else None
    meaning, help = explain(report, known)
    lines = [f"the kernel's verifier rejects `{program}`: {meaning}"]
    shown = [(known.file, known.line, known.text, known.col, known.end_col)] if known is not None else []
    for frame in report.frames[1 if known is not None else 0 :]:
        caller = origin(frame.insn)
        if caller is not None:
            shown.append((caller.file, caller.line, caller.text, caller.col, caller.end_col))
        else:
            shown.append((frame.file, frame.line, frame.text, 0, 0))
    for number, place in enumerate(shown):
        lines += snippet(*place, "-->" if not number else "::: called from")
    if report.message:
        first, *rest = report.message.splitlines()
        lines.append(f"note: the kernel says: {first}")
        lines += [f"      {line}" for line in rest[:8]]
    if report.insn_text:
        lines.append(f"note: at instruction {report.insn}: {report.insn_text}")
    lines += _held(report, known)
    for heading, text in report.sections.items():
        if heading in ("Reason", "Suggestion"):
            text = " ".join(text.split())
        elif heading == "Causal path":
            text = "\n".join(_events(text)) or text
        if text and text != report.message and text != help and heading != "At":
            inline = "\n" not in text
            lines.append(
                f"note: {heading.lower()}:" + (f" {text}" if inline else "\n" + text).replace("\n", "\n      ")
            )
    if help:
        lines.append(f"help: {help}")
    return "\n".join(lines)


def _events(section: str) -> list[str]:
    """What a causal path tells, a line an event, without the source text that surrounds each."""
    events, place = [], ""
    for line in section.split("\n"):
        if match := _AT.match(line):
            place = f"{match[1]}:{match[2]}: "
        elif "^-- " in line:
            events.append(place + line.partition("^-- ")[2].strip())
        elif events and (wrapped := _WRAPPED.match(line)):
            events[-1] += f" {wrapped[1]}"
    return events


def _held(report: VerifierReport, known: Origin | None) -> list[str]:
    """A note for each register that the instruction or the message names and whose content is known."""
    named = re.findall(r"\b[rRw](\d+)\b", f"{report.message} {report.insn_text}")
    lines = []
    for number in dict.fromkeys(named):
        state = report.registers.get(f"R{number}")
        name = known.variables.get(f"r{number}") if known is not None else None
        if number != "10" and (state or name):  # R10 is the frame
            holds = f"`{name}`" if name else ""
            lines.append(f"note: R{number} holds {': '.join(part for part in (holds, state) if part)}")
    return lines


def snippet(file: str, line: int, text: str, col: int, end_col: int, arrow: str) -> list[str]:
    """The lines that show a place in a source file."""
    body = text.rstrip()
    if not end_col:  # the whole statement
        col, end_col = len(body) - len(body.lstrip()), len(body)
    if not line:
        return [f" {arrow} {file or '(source line)'}", f"   | {body}"]
    margin = " " * len(str(line))
    out = [f"{margin}{arrow} {file}:{line}:{col + 1}" if col else f"{margin}{arrow} {file}:{line}", f"{margin} |"]
    if body:
        out += [f"{line} | {body}", f"{margin} | {' ' * col}{'^' * max(1, end_col - col)}"]
    return [*out, f"{margin} |"]
