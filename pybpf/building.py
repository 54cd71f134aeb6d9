"""`build`: programs -> an Object, without a kernel and without privilege. `check` and `emit` stop earlier."""

from __future__ import annotations

import gc
import sys

from pybpf.compiler.object import Object
from pybpf.compiler.schema.errors import DeclarationError, DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.specs import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.schema.specs import GlobalSpec, ProgramSpec
    from pybpf.hooks.structops import StructOps
    from pybpf.program import Program

__all__ = ["STAGES", "Object", "build", "check", "compile_specs", "emit", "specs_of"]

STAGES = ("tree", "ir", "ir:before", "asm", "btf", "elf")  # and ir:after-PASS, for each pass


def build(
    *programs: Program[..., Any] | type[StructOps], target: Target | None = None, name: str = "", **consts: Any
) -> Object:
    """Compile programs into one object, with exactly the maps and globals that they reach.

    `consts` are initial values of `const()`s and `var()`s, by name. Raises CompileError, whose text is what a user
    needs to see; DeclarationError (a TypeError or ValueError) for values that no global takes.
    """
    return compile_specs(specs_of(programs), target, name, consts)


def check(*programs: Program[..., Any] | type[StructOps], target: Target | None = None) -> list[Diagnostic]:
    """Everything that is wrong with the programs, errors and warnings, in source order; empty if nothing is."""
    from pybpf.compiler.diagnostics.base import CompileError

    try:
        return list(compile_specs(specs_of(programs), target, "", {}).warnings)
    except CompileError as error:
        return error.diagnostics


def emit(
    stage: str, *programs: Program[..., Any] | type[StructOps], target: Target | None = None, **consts: Any
) -> str:
    """The text of one stage of the compilation. Raises DeclarationValueError for a stage that there is not."""
    seen: dict[str, str] = {}  # by function, for what is observed function by function

    def observe(name: str, value: Any) -> None:
        if name == stage:
            seen[getattr(value, "name", "")] = _print(name, value)

    made = compile_specs(specs_of(programs), target, "", consts, observe)
    if stage == "btf":
        from pybpf.compiler.elf.dump import dump_types

        return dump_types(made.elf)
    if stage == "elf":
        from pybpf.compiler.elf.dump import dump_elf

        return dump_elf(made.elf)
    if not seen:
        from pybpf.compiler.passes import PASSES

        known = [*STAGES, *(f"ir:after-{each}" for each, _ in PASSES)]
        raise DeclarationValueError(
            f"there is no stage {stage!r}", help=_near(stage, known) or f"stages are: {', '.join(known)}"
        )
    return "\n".join(seen.values())


def _print(stage: str, value: Any) -> str:
    if stage == "tree":
        from pybpf.compiler.frontend.printer import print_tree

        return print_tree(value)
    if stage == "asm":
        from pybpf.compiler.codegen.dump import dump_code

        return "\n".join([dump_code(code) for code in value])
    from pybpf.compiler.ir.printer import print_function, print_module

    return print_function(value) if stage.startswith("ir:after-") else print_module(value)


def compile_specs(
    specs: Sequence[ProgramSpec],
    target: Target | None,
    name: str,
    consts: Mapping[str, Any],
    observe: Callable[[str, Any], None] | None = None,
) -> Object:
    """Compile declared programs; the other functions here, and `load`, are this one with something around it."""
    from pybpf.compiler import compile

    def initial(spec: GlobalSpec) -> bytes:
        if spec.name not in consts:
            return spec.init
        from pybpf.stdlib.variables import encode

        return encode(spec.type, consts[spec.name], spec.name)

    with _uncollected():
        made = compile(specs, target or Target(), name=name, initial=initial if consts else None, observe=observe)
    for given in consts:
        if given not in made.globals:
            # what the user named, not the format strings that the compiler adds
            known = [spec.name for spec in made.globals.values() if not spec.name.startswith("printk_format_")]
            all_known = f"they use {', '.join(known)}" if known else "they use none at all"
            raise DeclarationValueError(
                f"the programs use no const() or var() named {given!r}", help=_near(given, known) or all_known
            )
    return made


def _near(name: str, known: list[str]) -> str:
    """`did you mean asm?`; empty where nothing is like it."""
    from pybpf.compiler.frontend.scope import closest

    found = closest(name, known)
    return f"did you mean {found!r}?" if found else ""


class _uncollected:  # contextlib takes milliseconds to import
    """Holds the cycle collector off: a compilation makes records by the ten thousand and drops them all at its end.

    It finds nothing meanwhile, and looking takes a third of the time. It is left as it was found.
    """

    def __enter__(self) -> None:
        self.was = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self.was:
            gc.enable()


def specs_of(programs: Sequence[Any]) -> list[ProgramSpec]:
    """What the programs declare. Raises CompileError with all that is wrong at their hooks; DeclarationTypeError."""
    from pybpf.program import Program

    if not programs:
        raise DeclarationTypeError("no program is given", help="pass decorated functions, as in build(enter, leave)")
    specs, wrong = [], []
    for program in _taken_apart(programs):
        if not isinstance(program, Program):
            name = getattr(program, "__name__", repr(program))
            above = f"decorate it with its hook, as @xdp or @tracepoint(...), above def {name}"
            raise DeclarationTypeError(
                f"{name} is not a BPF program",
                help=above if hasattr(program, "__code__") else "pass decorated functions; maps come by themselves",
            )
        try:
            specs.append(program.__bpf__)
        except DeclarationError as error:
            from pybpf.compiler.diagnostics.blame import decorated

            wrong.append(decorated(error, program.function))
    if wrong:
        from pybpf.compiler.diagnostics.base import CompileError

        raise CompileError(wrong)
    return specs


def _taken_apart(given: Sequence[Any]) -> list[Any]:
    """The programs, with those of tables of operations in place of the tables. Raises DeclarationError."""
    found: list[Any] = []
    for each in given:
        if isinstance(each, type) and hasattr(each, "__bpf_of__"):
            programs = each.__bpf__.programs  # type: ignore[attr-defined]
            found += [vars(each)[name] for name in programs]
        else:
            found.append(each)
    return found


if "IPython" in sys.modules:
    from pybpf.notebook import register

    register(Object)
