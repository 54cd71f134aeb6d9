"""Text to instructions: the syntax that disasm.py prints, one instruction a line, with labels.

    loop:   r1 += -1
            if r1 != 0 goto loop      ; a comment
            r0 = atomic64_fetch_add((u64 *)(r2 +0), r0)
            exit

Jumps take `pc+3` (slots after the next instruction) or a label. `call` takes `name#number` for a helper (the name is
not looked at), `pc+3` or a label for a subprogram. Numbers are decimal or 0x...; 32-bit ones may be written unsigned.
A line may begin with the slot number that listings print.

The text of a program's `asm(...)` differs in two ways (`operands` given): a `;` ends an instruction, as a line's end
does, and comments begin with `//`; and a register may be an operand, `{name}`, with `{name:w}` for its low half, as w1
is of r1. `{name:i}` is a number known at compile time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.isa.disasm import LD_IMM64_SOURCE
from pybpf.compiler.isa.insn import Insn

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AsmError", "assemble"]

GRAMMAR = r"""
start: (_line? _NL)* _line?
_line: (INT ":")? (label+ insn? | insn)
label: NAME ":"
?insn: alu | unary | movsx | cast | end | lddw | load | store | lock | rmw | cmpxchg | acquire | release | legacy
     | jump | cond | call | exit | raw
alu: reg ALU_OP reg -> alu_reg
   | reg ALU_OP INT -> alu_imm
   | reg "=" reg -> mov_reg
   | reg "=" INT -> mov_imm
unary: reg "=" "-" reg
movsx: reg "=" "(" SIZE ")" reg
cast: reg "=" "addr_space_cast" "(" R "," INT "," INT ")"
end: reg "=" END_OP R
lddw: reg "=" INT "ll" -> lddw
    | reg "=" NAME "[" INT "]" INT? "ll" -> lddw_pseudo
place: "(" SIZE "*" ")" "(" R INT ")"
     | "(" SIZE "*" ")" "(" R "+" INT ")"
     | "(" SIZE "*" ")" "(" R "-" INT ")" -> place_below
     | "(" SIZE "*" ")" "(" R ")"
load: reg "=" "*" place
store: "*" place "=" R -> store_reg
     | "*" place "=" INT -> store_imm
lock: "lock" "*" place ALU_OP R
rmw: reg "=" RMW "(" place "," R ")"
cmpxchg: reg "=" CMPXCHG "(" place "," R "," R ")"
acquire: reg "=" "load_acquire" "(" place ")"
release: "store_release" "(" place "," R ")"
legacy: reg "=" "*" "(" SIZE "*" ")" "skb" "[" INT "]" -> legacy_abs
      | reg "=" "*" "(" SIZE "*" ")" "skb" "[" R INT "]" -> legacy_ind
      | reg "=" "*" "(" SIZE "*" ")" "skb" "[" R "+" INT "]" -> legacy_ind
jump: "goto" target -> goto
    | "gotol" target -> gotol
    | "may_goto" target -> may_goto
target: "pc" INT | NAME
cond: "if" reg (CMP_OP | ALU_LIKE) reg "goto" target -> cond_reg
    | "if" reg (CMP_OP | ALU_LIKE) INT "goto" target -> cond_imm
call: "call" (NAME "#")? INT -> call_helper
    | "call" "kfunc" "#" INT ("module" INT)? -> call_kfunc
    | "call" target -> call_local
exit: "exit"
raw: ".insn" INT "," INT "," INT "," INT "," INT
reg: R | WR
R.1: /r(10|[0-9])\b/
WR.1: /w(10|[0-9])\b/
ALU_OP.2: "s>>=" | "<<=" | ">>=" | "s/=" | "s%=" | "+=" | "-=" | "*=" | "/=" | "%=" | "|=" | "&=" | "^="
CMP_OP.2: "s>=" | "s<=" | "s>" | "s<" | "==" | "!=" | ">=" | "<=" | ">" | "<"
ALU_LIKE: "&"
END_OP.1: /(le|be|bswap)(16|32|64)\b/
SIZE.1: /[us](8|16|32|64)\b/
RMW.1: /atomic(64)?_(fetch_(add|and|or|xor)|xchg)\b/
CMPXCHG.1: /atomic(64)?_cmpxchg\b/
INT: /[+-]?(0x[0-9a-fA-F]+|[0-9]+)/
NAME: /[A-Za-z_.][A-Za-z_0-9.]*/
_NL: /(\r?\n[ \t]*)+/
COMMENT: /(;|\/\/)[^\n]*/
%ignore /[ \t]+/
%ignore COMMENT
"""

# The grammar's terminals that are others in a program's `asm(...)`.
_INLINE = {
    r"R.1: /r(10|[0-9])\b/": r"R.1: /r(10|[0-9])\b|\{\w+\}/",
    r"WR.1: /w(10|[0-9])\b/": r"WR.1: /w(10|[0-9])\b|\{\w+:w\}/",
    r"INT: /[+-]?(0x[0-9a-fA-F]+|[0-9]+)/": r"INT: /[+-]?(0x[0-9a-fA-F]+|[0-9]+|\{\w+:i\})/",
    r"_NL: /(\r?\n[ \t]*)+/": r"_NL: /((\r?\n|;)[ \t]*)+/",
    r"COMMENT: /(;|\/\/)[^\n]*/": r"COMMENT: /\/\/[^\n]*/",
}

ALU_CODE = {text: code for code, text in op.ALU_OPERATOR.items()}
ALU_SIGNED_CODE = {text: code for code, text in op.ALU_SIGNED_OPERATOR.items()}
JUMP_CODE = {text: code for code, text in op.JUMP_OPERATOR.items()}
ATOMIC_CODE = {text: code for code, text in op.ATOMIC_NAME.items()}
SIZES = {text: (code, op.MEM) for code, text in op.SIZE_NAME.items()}
SIZES |= {text: (code, op.MEMSX) for code, text in op.SIGNED_SIZE_NAME.items()}
PSEUDO = {name: number for number, name in LD_IMM64_SOURCE.items()}


class AsmError(ValueError):
    """Text that is no assembly. `line` and `column` are 1-based, 0 where they aren't known; the message begins with
    them. `width` is the number of characters that are wrong."""

    def __init__(self, reason: str, line: int = 0, column: int = 0, width: int = 1) -> None:
        where = f"{line}:{column}: " if column else f"line {line}: " if line else ""
        super().__init__(where + reason)
        self.reason, self.line, self.column, self.width = reason, line, column, width


def assemble(text: str, operands: Mapping[str, int] | None = None) -> list[Insn]:
    """Instructions of `text`. AsmError: what is wrong, and where.

    `operands` are those of a program's `asm(...)`: the register number that stands for each (16 and up), or the number
    that it is.
    """
    from lark.exceptions import UnexpectedInput, VisitError

    try:
        parser, builder = _parser(operands is not None)
        items = builder(operands or {}).transform(parser.parse(text))
    except VisitError as error:
        if isinstance(error.orig_exc, AsmError):
            at = getattr(error.obj, "meta", error.obj)
            line, column = getattr(at, "line", 0), getattr(at, "column", 0)
            end = getattr(at, "end_column", None) if getattr(at, "end_line", 0) == line else None
            raise AsmError(error.orig_exc.reason, line, column, (end or column + 1) - column) from None
        raise
    except UnexpectedInput as error:
        raise _unexpected(error, text) from None
    labels: dict[str, int] = {}
    at = 0
    for item in items:
        if isinstance(item, str):
            if item in labels:
                raise AsmError(f"label {item} is defined twice", *_position(item))
            labels[item] = at
        else:
            at += item[0].slots
    found = []
    at = 0
    for item in items:
        if isinstance(item, str):
            continue
        insn, target = item
        at += insn.slots
        if target is not None:
            _aim(insn, target if isinstance(target, int) else _find(labels, target) - at)
        found.append(insn)
    return found


def _unexpected(error: Any, text: str) -> AsmError:
    """What the parser met, in a few words."""
    if getattr(error, "token", None) is not None and error.token.type != "$END":
        token = str(error.token)
        if token.strip(" \t\r\n;"):
            return AsmError(f"`{token}` is not expected here", error.line, error.column, len(token))
        return AsmError("the instruction is not complete", error.line, error.column)
    if getattr(error, "char", None):
        return AsmError(f"`{error.char}` is not expected here", error.line, error.column)
    lines = text.split("\n")
    return AsmError("the instruction is not complete", len(lines), max(len(lines[-1]), 1))


def _position(token: Any) -> tuple[int, int, int]:
    """Where a token stands: line, column, width; zeroes for a plain string."""
    return getattr(token, "line", 0), getattr(token, "column", 0), len(token)


def _find(labels: dict[str, int], name: str) -> int:
    if name not in labels:
        raise AsmError(f"label {name} is not defined", *_position(name))
    return labels[name]


def _aim(insn: Insn, distance: int) -> None:
    """Put a jump distance, in slots, where the instruction keeps it."""
    if insn.opcode in (op.GOTOL, op.CALL_IMM):
        insn.imm = distance
    elif -0x8000 <= distance < 0x8000:
        insn.off = distance
    else:
        raise AsmError(f"jump over {distance} slots: 16 bits hold no more than 32767")


def _int(text: str, bits: int = 32) -> int:
    """A number that fits `bits` bits signed or unsigned, as the signed number of the same bits."""
    value = int(text, 0)
    if not -(1 << bits - 1) <= value < 1 << bits:
        raise AsmError(f"{text} does not fit {bits} bits")
    return value - (1 << bits) if value >= 1 << bits - 1 else value


def _same(first: str, second: str) -> None:
    if first != second:
        raise AsmError(f"{first} and {second} must be the same register")


class _Reg(str):
    """A register as it is written. `number` is its own, or that of the operand; `wide` tells r1 from w1."""

    __slots__ = ("number", "wide")
    number: int
    wide: bool


@lru_cache(maxsize=2)
def _parser(inline: bool) -> tuple[Any, Any]:
    """The parser, and the class that makes [label or (instruction, jump target), ...] of its tree."""
    from lark import Lark, Token, Transformer, v_args

    grammar = GRAMMAR
    for plain, other in _INLINE.items() if inline else ():
        assert plain in grammar
        grammar = grammar.replace(plain, other)

    def number(reg: _Reg) -> int:
        return reg.number

    def wide_number(reg: _Reg) -> int:
        if not reg.wide:
            raise AsmError(f"{reg} cannot stand here: the instruction takes 64-bit registers")
        return reg.number

    def pair(left: _Reg, right: _Reg) -> tuple[int, int]:
        """Arithmetic and jump class of an operation on two registers, which must be of the same width."""
        if left.wide != right.wide:
            raise AsmError(f"{left} and {right} are of different widths")
        return (op.ALU64, op.JMP) if left.wide else (op.ALU, op.JMP32)

    def size_of(text: str) -> int:
        code, mode = SIZES[text]
        if mode != op.MEM:
            raise AsmError(f"{text} is for loads only")
        return code

    def wide(name: str, size: int) -> None:
        """An atomic's name says its size, for 64 bits; check that the type agrees."""
        if size != (op.DW if name.startswith("atomic64") else op.W):
            raise AsmError(f"{name} does not go with this size")

    @v_args(inline=True)
    class Build(Transformer[Any, Any]):
        def __init__(self, operands: Mapping[str, int]) -> None:
            super().__init__(visit_tokens=True)
            self.operands = operands

        def _register(self, token: Any) -> _Reg:
            made = _Reg(token)
            made.wide = token[0] == "r" or (token[0] == "{" and not token.endswith(":w}"))
            made.number = self._operand(token) if token[0] == "{" else int(token[1:])
            return made

        R = WR = _register

        def INT(self, token: Any) -> Any:
            if "{" not in token:
                return token
            sign = -1 if token[0] == "-" else 1
            return Token(token.type, str(sign * self._operand(token.lstrip("+-"))))

        def _operand(self, token: Any) -> int:
            name = token[1:-1].partition(":")[0]
            if name not in self.operands:
                raise AsmError(f"there is no operand {name}")
            return self.operands[name]

        def start(self, *items: Any) -> list[Any]:
            made = (item for item in items if getattr(item, "type", "") != "INT")  # slot numbers say nothing
            return [(item, None) if isinstance(item, Insn) else item for item in made]

        def label(self, name: Any) -> Any:
            return name

        def reg(self, name: _Reg) -> _Reg:
            return name

        def alu_reg(self, dst: _Reg, operator: str, src: _Reg) -> Insn:
            kind, _ = pair(dst, src)
            return self._alu(kind | op.X, dst, operator, number(src), 0)

        def alu_imm(self, dst: _Reg, operator: str, imm: str) -> Insn:
            return self._alu(pair(dst, dst)[0], dst, operator, 0, _int(imm))

        def _alu(self, opcode: int, dst: _Reg, operator: str, src: int, imm: int) -> Insn:
            if operator in ALU_SIGNED_CODE:
                return Insn(opcode | ALU_SIGNED_CODE[operator], number(dst), src, op.SIGNED, imm)
            return Insn(opcode | ALU_CODE[operator], number(dst), src, 0, imm)

        def mov_reg(self, dst: _Reg, src: _Reg) -> Insn:
            return Insn(pair(dst, src)[0] | op.MOV | op.X, number(dst), number(src))

        def mov_imm(self, dst: _Reg, imm: str) -> Insn:
            return Insn(pair(dst, dst)[0] | op.MOV, number(dst), 0, 0, _int(imm))

        def unary(self, dst: _Reg, src: _Reg) -> Insn:
            _same(dst, src)
            return Insn(pair(dst, src)[0] | op.NEG, number(dst))

        def movsx(self, dst: _Reg, size: str, src: _Reg) -> Insn:
            if size[0] != "s":
                raise AsmError(f"a register can only be extended as s8, s16, s32, not {size}")
            return Insn(pair(dst, src)[0] | op.MOV | op.X, number(dst), number(src), int(size[1:]))

        def cast(self, dst: _Reg, src: _Reg, to: str, source: str) -> Insn:
            return Insn(op.MOV_REG, wide_number(dst), number(src), op.ADDR_SPACE_CAST, int(to) << 16 | int(source))

        def end(self, dst: _Reg, name: str, src: _Reg) -> Insn:
            _same(dst, src)
            opcode = {"le": op.TO_LE, "be": op.TO_BE, "bswap": op.BSWAP}[name.rstrip("0123456789")]
            return Insn(opcode, wide_number(dst), 0, 0, int(name.lstrip("lebswap")))

        def lddw(self, dst: _Reg, imm: str) -> Insn:
            return Insn(op.LD_IMM64, wide_number(dst), 0, 0, _int(imm, 64))

        def lddw_pseudo(self, dst: _Reg, name: str, low: str, high: str = "0") -> Insn:
            if name not in PSEUDO:
                raise AsmError(f"{name}[...] is none of {', '.join(PSEUDO)}")
            return Insn(op.LD_IMM64, wide_number(dst), PSEUDO[name], 0, _int(high) << 32 | _int(low) & 0xFFFF_FFFF)

        def place(self, size: str, base: _Reg, off: str = "0") -> tuple[str, int, int]:
            offset = int(off, 0)
            if not -0x8000 <= offset < 0x8000:
                raise AsmError(f"offset {offset} does not fit 16 bits")
            return str(size), number(base), offset

        def load(self, dst: _Reg, place: tuple[str, int, int]) -> Insn:
            size, mode = SIZES[place[0]]
            return Insn(op.LDX | mode | size, wide_number(dst), place[1], place[2])

        def place_below(self, size: str, base: _Reg, off: str) -> tuple[str, int, int]:
            return self.place(size, base, f"-{off}" if off[0] != "-" else off[1:])

        def store_reg(self, place: tuple[str, int, int], src: _Reg) -> Insn:
            return Insn(op.STX | op.MEM | size_of(place[0]), place[1], number(src), place[2])

        def store_imm(self, place: tuple[str, int, int], imm: str) -> Insn:
            return Insn(op.ST | op.MEM | size_of(place[0]), place[1], 0, place[2], _int(imm))

        def _atomic(self, place: tuple[str, int, int], src: _Reg, imm: int) -> Insn:
            return Insn(op.STX | op.ATOMIC | size_of(place[0]), place[1], number(src), place[2], imm)

        def lock(self, place: tuple[str, int, int], operator: str, src: _Reg) -> Insn:
            code = ALU_CODE.get(operator)
            if code not in op.ATOMIC_NAME:
                raise AsmError(f"there is no atomic {operator}")
            return self._atomic(place, src, code)

        def rmw(self, dst: _Reg, name: str, place: tuple[str, int, int], src: _Reg) -> Insn:
            _same(dst, src)
            wide(name, SIZES[place[0]][0])
            what = name.rsplit("_", 1)[1]
            return self._atomic(place, src, op.XCHG if what == "xchg" else ATOMIC_CODE[what] | op.FETCH)

        def cmpxchg(self, dst: _Reg, name: str, place: tuple[str, int, int], old: _Reg, src: _Reg) -> Insn:
            _same(dst, "r0")
            _same(old, "r0")
            wide(name, SIZES[place[0]][0])
            return self._atomic(place, src, op.CMPXCHG)

        def acquire(self, dst: _Reg, place: tuple[str, int, int]) -> Insn:
            return Insn(op.STX | op.ATOMIC | size_of(place[0]), wide_number(dst), place[1], place[2], op.LOAD_ACQ)

        def release(self, place: tuple[str, int, int], src: _Reg) -> Insn:
            return self._atomic(place, src, op.STORE_REL)

        def legacy_abs(self, dst: _Reg, size: str, imm: str) -> Insn:
            _same(dst, "r0")
            return Insn(op.LD | op.ABS | size_of(size), 0, 0, 0, _int(imm))

        def legacy_ind(self, dst: _Reg, size: str, src: _Reg, imm: str) -> Insn:
            _same(dst, "r0")
            return Insn(op.LD | op.IND | size_of(size), 0, number(src), 0, _int(imm))

        def target(self, where: Any) -> int | str:
            return int(where, 0) if where.type == "INT" else where

        def goto(self, target: int | str) -> tuple[Insn, int | str]:
            return Insn(op.GOTO), target

        def gotol(self, target: int | str) -> tuple[Insn, int | str]:
            return Insn(op.GOTOL), target

        def may_goto(self, target: int | str) -> tuple[Insn, int | str]:
            return Insn(op.MAY_GOTO), target

        def cond_reg(self, left: _Reg, operator: str, right: _Reg, target: int | str) -> tuple[Insn, int | str]:
            _, kind = pair(left, right)
            return Insn(kind | JUMP_CODE[str(operator)] | op.X, number(left), number(right)), target

        def cond_imm(self, left: _Reg, operator: str, imm: str, target: int | str) -> tuple[Insn, int | str]:
            _, kind = pair(left, left)
            return Insn(kind | JUMP_CODE[str(operator)], number(left), 0, 0, _int(imm)), target

        def call_helper(self, *what: str) -> Insn:
            return Insn(op.CALL_IMM, 0, op.CALL_HELPER, 0, _int(what[-1]))

        def call_kfunc(self, number_: str, module: str = "0") -> Insn:
            return Insn(op.CALL_IMM, 0, op.CALL_KFUNC, int(module, 0), _int(number_))

        def call_local(self, target: int | str) -> tuple[Insn, int | str]:
            return Insn(op.CALL_IMM, 0, op.CALL_LOCAL), target

        def exit(self) -> Insn:
            return Insn(op.EXIT_INSN)

        def raw(self, *numbers: str) -> Insn:
            opcode, dst, src, off, imm = (int(text, 0) for text in numbers)
            return Insn(opcode, dst, src, off, imm)

    return Lark(grammar, parser="lalr", propagate_positions=True), Build
