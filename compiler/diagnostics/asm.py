"""E13xx: instructions as text, `asm(...)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.diagnostics.advice import Advised
from pybpf.compiler.diagnostics.base import Diagnostic, Help, Label, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AsmLevel", "AsmNotKnown", "AsmOut", "AsmRegisters", "AsmText", "AsmUnused"]


class AsmText(Diagnostic):
    """The text of `asm()` is not what the assembler understands, or does what a program's text may not.

    The syntax is the one that the kernel and `pybpf dis` show instructions in. An instruction ends at `;` or at the end
    of its line. `{out}` is the result, `{name}` an operand, `{name:w}` its low half, `{name:i}` a number that is known
    when compiling. Registers r0 to r9 may be named: nothing that the program keeps is in them. The text must set what
    it reads, set `{out}` on every way, and run to its end.

    Fails:

        n = asm(u64, "{out} = {a} + 5", a=size)
        n = asm(u64, "{out} += 5")

    Works:

        n = asm(u64, "{out} = {a}; {out} += 5", a=size)
    """

    reason: str

    code = "E1301"
    title = "in the text of asm(): {reason}"
    label = "here"

    def more(self) -> Iterator[Label | Note | Help]:
        if self.reason.endswith(("is not expected here", "is not complete")):
            line = 'asm(u64, "{out} = {a}; {out} += 5", a=value)'
            yield Help("write instructions as the kernel shows them:", (line,))
        elif "no value" in self.reason or "no operand" in self.reason:
            line = 'asm(u64, "{out} = 0; {out} += {a}", a=value)'
            yield Help("set a register before it is used; give operands by name:", (line,))
        elif "not set on every way" in self.reason:
            yield Help("begin with a value for it:", ('asm(u64, "{out} = 0; ...")',))


class AsmUnused(Advised):
    """An operand that the text of `asm()` does not use.

    Fails:

        n = asm(u64, "{out} = {a}", a=size, b=4)

    Works:

        n = asm(u64, "{out} = {a}; {out} += {b}", a=size, b=4)
    """

    name: str

    code = "E1302"
    title = "the text of asm() does not use `{name}`"
    label = "given here"
    way_out = "leave the operand out, or name it in the text: {{{name}}}"


class AsmOut(Advised):
    """An operand is called `out`, which is the name of the result.

    Fails:

        asm("{out} += 1", out=count)

    Works:

        count = asm(u64, "{out} = {old}; {out} += 1", old=count)
    """

    code = "E1303"
    title = "`out` is the result of asm(), not an operand"
    label = "an operand of this name"
    way_out = "call the operand something else, and assign the result:"
    lines = ('count = asm(u64, "{{out}} = {{old}}; {{out}} += 1", old=count)',)


class AsmNotKnown(Advised):
    """`{name:i}` in the text of `asm()` stands for a number that is known when compiling, or for a helper's.

    Fails:

        n = asm(u64, "{out} = {a:i}", a=pid())

    Works:

        n = asm(u64, "{out} = {a}", a=pid())
        n = asm(u64, "{out} = {a:i}", a=SIZE)
        n = asm(u64, "call {f:i}; {out} = r0", f=helpers.bpf_ktime_get_ns)
    """

    name: str

    code = "E1304"
    title = "`{name}` is not known when compiling"
    label = "no constant, and no helper"
    way_out = "take it in a register: write {{{name}}}"


class AsmRegisters(Advised):
    """`asm()` takes more registers than there are.

    There are ten, r0 to r9. Each operand and the result takes one, and each register that the text names, or that a
    call destroys (r0 to r5).

        asm(u64, "call 7; {out} = r0; {out} += {a}; ...", a=a, b=b, c=c, d=d)      # fails: r0 to r5, and five more
        asm(u64, "call 7; {out} = r0; {out} += {a}", a=a)                          # works
    """

    operands: int
    named: int

    code = "E1305"
    title = "this asm() takes more than the ten registers there are"
    label = "{operands} for operands and result, {named} that the text uses by name"
    way_out = "give a Struct as one operand, and load its fields in the text; or do it in two steps"


class AsmLevel(Advised):
    """An instruction is of a higher ISA level than what is compiled for.

    `--cpu` says which level the oldest kernel has: 3 runs on Linux 5.1 and later, 4 on 6.6 and later.

        asm(i64, "{out} = {a}; {out} s/= 3", a=n)                      # fails, but for --cpu v4
        n // 3                                                         # works
    """

    text: str
    level: int
    target: int

    code = "E1306"
    title = "`{text}` is an instruction of ISA level {level}, and this is compiled for level {target}"
    label = "not in level {target}"
    way_out = "compile for a higher level, or write it with older instructions"
