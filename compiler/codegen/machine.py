"""The machine level: functions of BPF instructions, first over virtual registers, then over R0 to R10.

Before register allocation the code is in SSA form. Virtual registers are integers from FIRST_VREG up; each has one
definition: an instruction's `dst`, a block's or the function's parameter, or a recipe (see below). The smaller
numbers are the physical registers; before allocation only R10, the frame pointer, appears. A block has parameters
instead of phis, and each edge passes arguments to its target, as one parallel copy.

An instruction has a `form`, which says how its operands meet registers, and an `op`, the opcode byte it is encoded
with. Two-address instructions keep three operands: `dst = srcs[0] op srcs[1]`, with form.tied: `dst` and `srcs[0]`
must get the same register, and the allocator puts a copy in front where they can't. After allocation they are the same.

What can be computed anywhere at the cost of one instruction (a constant, the address of a map or of a stack slot) is no
instruction of a block: such a virtual register has a *recipe*, an instruction that the allocator issues where the value
is wanted, instead of keeping it in a register or spilling it.
"""

from __future__ import annotations

from pybpf.compiler.isa import opcodes as op
from pybpf.compiler.schema.record import Record, factory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.ir.function import Slot
    from pybpf.compiler.ir.ops import Value
    from pybpf.compiler.isa.insn import Insn
    from pybpf.compiler.schema.core import CoreFact
    from pybpf.compiler.schema.span import Span

__all__ = [
    "ALU_K", "ALU_X", "BRANCH_K", "BRANCH_X", "CALL", "CMPXCHG", "EXIT", "FETCH", "FIRST_VREG", "FRAME",
    "FRAME_POINTER", "JUMP", "LOAD", "LOAD_64", "MAY_GOTO", "MOV_K", "MOV_X", "RELOAD", "SET_K", "SET_X", "SPILL",
    "STORE_K", "STORE_X", "Body", "Form", "MBlock", "MFunction", "MInsn", "Symbol", "copy",
]  # fmt: skip

FRAME_POINTER = 10
FIRST_VREG = 16
CALLER_SAVED = 0b111111  # R0 to R5: a call leaves nothing in them but its result
ALLOCATABLE = 10  # R0 to R9


class Form(Record, eq=False):
    """How operands meet registers, and where they go in the encoding (drawn by `shape`: D and S are the two fields).

    `tied`: dst takes the register of srcs[0]. `early`: dst is written before the sources are read for the last time,
    so it shares a register with none of them. `fixed[i]`: the register in which srcs[i] is passed (-1: any). Values
    are copied there just before, so a fixed source may live anywhere. `result`: the register in which dst comes.
    `clobbers`: bit mask of the registers destroyed.
    """

    name: str
    shape: str
    tied: bool = False
    early: bool = False
    fixed: tuple[int, ...] = ()
    result: int = -1
    clobbers: int = 0
    ends_block: bool = False


# Instructions of either stage.
ALU_K = Form("alu_k", "D op= imm", tied=True)
ALU_X = Form("alu_x", "D op= S", tied=True)
MOV_X = Form("mov_x", "D = S")
LOAD = Form("load", "D = *(S + off)")
STORE_K = Form("store_k", "*(D + off) = imm")
STORE_X = Form("store_x", "*(D + off) = S")
FETCH = Form("fetch", "S = atomic(*(D + off), S)", tied=True)  # srcs: value, base
CMPXCHG = Form(
    "cmpxchg", "R0 = cmpxchg(*(D + off), R0, S)", fixed=(0, -1, -1), result=0, clobbers=1
)  # srcs: expected, base, value
CALL = Form("call", "R0 = call(R1, ...)", fixed=(1, 2, 3, 4, 5), result=0, clobbers=CALLER_SAVED)
# 1 or 0, in three instructions, of which the middle one is a jump with this `op`; `off` is the result if it is taken.
SET_K = Form("set_k", "D = S pred imm", early=True)
SET_X = Form("set_x", "D = S pred S", early=True)
JUMP = Form("jump", "goto", ends_block=True)
BRANCH_K = Form("branch_k", "if D pred imm", ends_block=True)
BRANCH_X = Form("branch_x", "if D pred S", ends_block=True)
MAY_GOTO = Form("may_goto", "may_goto", ends_block=True)
EXIT = Form("exit", "exit", fixed=(0,), ends_block=True)

# Recipes; instructions after allocation only.
MOV_K = Form("mov_k", "D = imm")
LOAD_64 = Form("load_64", "D = imm or symbol ll")
FRAME = Form("frame", "D = R10 + slot + imm")

# Made by the allocator: whole registers to and from the spill slot number `imm`, for virtual register `vreg`.
SPILL = Form("spill", "spill[imm] = S")
RELOAD = Form("reload", "D = spill[imm]")


class Body(Record, eq=False):
    """The instructions of an `asm(...)`, in which register 16 is the result, and 17, 18, ... are the sources."""

    insns: tuple[Insn, ...]


class Symbol(Record):
    """What an instruction refers to by name; `kind` is that of the object's relocation: map, global, call, callback."""

    kind: str
    name: str


class MInsn(Record, eq=False):
    """One instruction. `off` and `imm` as in the encoding; `ref` is a symbol, or the stack slot that R10 + off means.

    A CoreFact: the loader adapts the offset or the immediate. A Body: an instruction of form "asm" is several.

    `vreg` and `origin` are set by the allocator: the virtual register that this instruction defines or moves, and the
    instruction that it was before allocation (None for the allocator's own).
    """

    form: Form
    op: int
    dst: int = -1
    srcs: tuple[int, ...] = ()
    off: int = 0
    imm: int = 0
    ref: Slot | Symbol | Body | CoreFact | None = None
    span: Span | None = None
    vreg: int = -1
    origin: MInsn | None = None


class MBlock(Record, eq=False):
    """A basic block. It ends with a JUMP (one successor), BRANCH, MAY_GOTO (taken, else the second), or EXIT.

    `args[i]` are the values passed to the parameters of `succs[i]`. `depth` counts the loops around the block. After
    allocation there are no parameters; `arrivals` has (register, or ~number of the slot; virtual register) of each.
    """

    label: str
    params: list[int] = factory(list)
    insns: list[MInsn] = factory(list)
    succs: list[MBlock] = factory(list)
    args: list[list[int]] = factory(list)
    preds: list[MBlock] = factory(list)
    depth: int = 0
    number: int = -1
    arrivals: list[tuple[int, int]] = factory(list)

    def __repr__(self) -> str:
        return f"MBlock({self.label})"


class MFunction(Record, eq=False):
    """A function; `blocks[0]` is the entry. `params[i]` arrives in R1+i (-1: not used).

    `recipes` and `names` (Python variables) are keyed by virtual register. `slots` are the IR's stack slots that are
    used; `spills` maps the virtual registers that have a spill slot to its number. `tested` are those that branches
    compare with constants, and their values in the IR.
    """

    name: str
    params: list[int]
    blocks: list[MBlock]
    recipes: dict[int, MInsn]
    names: dict[int, str]
    slots: list[Slot]
    vregs: int
    level: int
    spills: dict[int, int] = factory(dict)
    tested: dict[int, Value] = factory(dict)


def copy(dst: int, src: int, vreg: int = -1, span: Span | None = None) -> MInsn:
    """dst = src, all 64 bits."""
    return MInsn(MOV_X, op.MOV_REG, dst, (src,), vreg=vreg, span=span)
