"""`build`: programs -> an Object, without a kernel and without privilege. `check` and `emit` stop earlier."""

from __future__ import annotations

import gc
import sys

from pybpf.compiler.object import Object
from pybpf.compiler.schema.errors import DeclarationError, DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.specs import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.ir.function import Function
    from pybpf.compiler.schema.specs import GlobalSpec, ProgramSpec
    from pybpf.hooks.structops import StructOps
    from pybpf.program import Program

__all__ = ["STAGES", "Object", "build", "check", "compile_specs", "emit", "known_passes", "specs_of"]

STAGES = ("tree", "ir", "ir:before", "asm", "btf", "elf")  # and {ir,asm}:{before,after}-PASS, for each optimisation


def build(
    *programs: Program[..., Any] | type[StructOps],
    target: Target | None = None,
    name: str = "",
    skip: Collection[str] = (),
    **consts: Any,
) -> Object:
    """Compile programs into one object, with exactly the maps and globals that they reach.

    `consts` are initial values of `const()`s and `var()`s, by name. `skip` names optimisations to leave out.
    Raises CompileError, whose text is what a user needs to see; DeclarationError (a TypeError or ValueError) for values
    that no global takes.
    """
    return compile_specs(specs_of(programs), target, name, consts, None, skip)


def check(*programs: Program[..., Any] | type[StructOps], target: Target | None = None) -> list[Diagnostic]:
    """Everything that is wrong with the programs, errors and warnings, in source order; empty if nothing is."""
    from pybpf.compiler.diagnostics.base import CompileError

    try:
        return list(compile_specs(specs_of(programs), target, "", {}).warnings)
    except CompileError as error:
        return error.diagnostics


def emit(
    stage: str,
    *programs: Program[..., Any] | type[StructOps],
    target: Target | None = None,
    skip: Collection[str] = (),
    **consts: Any,
) -> str:
    """The text of one stage of the compilation. Raises DeclarationValueError for a stage or pass that there is not.

    `ir:before-PASS` and `ir:after-PASS` show a function each time when that pass changes it, `asm:before-PASS` and
    `asm:after-PASS` the code without and with a pass over machine code.
    """
    if "-" in stage and stage not in _stages_of_passes():
        raise _no_stage(stage)
    if stage.startswith("asm:"):
        moment, _, of_pass = stage[4:].partition("-")
        skip = [*skip, of_pass] if moment == "before" else skip
        return emit("asm", *programs, target=target, skip=skip, **consts)
    seen: list[str] = []
    moment, _, of_pass = stage[3:].partition("-") if "-" in stage else ("", "", "")
    states: dict[str, str] = {}  # of each function, as the last pass left it
    times: dict[str, int] = {}

    def observe(name: str, value: Any) -> None:
        if not moment and name == stage:
            seen.append(_print(name, value))
        if moment and name == "ir:before":
            states.update({function.name: _print_function(function) for function in value.functions})
        if moment and name.startswith("ir:after-"):
            text, before = _print_function(value), states[value.name]
            states[value.name] = text
            if name == f"ir:after-{of_pass}" and text != before:
                times[value.name] = times.get(value.name, 0) + 1
                heading = f"// {of_pass} changes {value.name}, time {times[value.name]}: {moment}\n"
                seen.append(heading + (before if moment == "before" else text))

    made = compile_specs(specs_of(programs), target, "", consts, observe, skip)
    if moment:
        return "\n".join(seen) or f"// {of_pass} changes nothing here\n"
    if stage == "btf":
        from pybpf.compiler.elf.dump import dump_types

        return dump_types(made.elf)
    if stage == "elf":
        from pybpf.compiler.elf.dump import dump_elf

        return dump_elf(made.elf)
    if not seen:
        raise _no_stage(stage)
    return "\n".join(seen)


def known_passes(names: Collection[str]) -> None:
    """Raises DeclarationValueError for what is no optimisation."""
    from pybpf.compiler.optimisations import OPTIMISATIONS

    for name in names:
        if name not in OPTIMISATIONS:
            help = _near(name, OPTIMISATIONS) or f"passes are: {', '.join(OPTIMISATIONS)}"
            raise DeclarationValueError(f"there is no pass {name!r}", help=help)


def _stages_of_passes() -> list[str]:
    from pybpf.compiler.codegen import CODE_PASSES
    from pybpf.compiler.passes import PASSES

    kinds = (("ir", PASSES), ("asm", CODE_PASSES))
    return [f"{kind}:{moment}-{name}" for kind, those in kinds for name, _ in those for moment in ("before", "after")]


def _no_stage(stage: str) -> DeclarationValueError:
    from pybpf.compiler.codegen import CODE_PASSES
    from pybpf.compiler.passes import PASSES

    shown = [*STAGES, "ir:before-PASS", "ir:after-PASS", "asm:before-PASS", "asm:after-PASS"]
    passes, code = [", ".join([name for name, _ in those]) for those in (PASSES, CODE_PASSES)]
    near = _near(stage, [*STAGES, *_stages_of_passes()])
    help = near or f"stages are: {', '.join(shown)}; passes over ir: {passes}; over asm: {code}"
    return DeclarationValueError(f"there is no stage {stage!r}", help=help)


def _print(stage: str, value: Any) -> str:
    if stage == "tree":
        from pybpf.compiler.frontend.printer import print_tree

        return print_tree(value)
    if stage == "asm":
        from pybpf.compiler.codegen.dump import dump_code

        return "\n".join([dump_code(code) for code in value])
    from pybpf.compiler.ir.printer import print_module

    return print_module(value)


def _print_function(function: Function) -> str:
    from pybpf.compiler.ir.printer import print_function

    return print_function(function)


def compile_specs(
    specs: Sequence[ProgramSpec],
    target: Target | None,
    name: str,
    consts: Mapping[str, Any],
    observe: Callable[[str, Any], None] | None = None,
    skip: Collection[str] = (),
) -> Object:
    """Compile declared programs; the other functions here, and `load`, are this one with something around it."""
    from pybpf.compiler import compile

    def initial(spec: GlobalSpec) -> bytes:
        if spec.name not in consts:
            return spec.init
        from pybpf.stdlib.variables import encode

        return encode(spec.type, consts[spec.name], spec.name)

    with _uncollected():
        start = initial if consts else None
        made = compile(specs, target or Target(), name=name, initial=start, observe=observe, skip=skip)
    for given in consts:
        if given not in made.globals:
            # what the user named, not the format strings that the compiler adds
            known = [spec.name for spec in made.globals.values() if not spec.name.startswith("printk_format_")]
            all_known = f"they use {', '.join(known)}" if known else "they use none at all"
            raise DeclarationValueError(
                f"the programs use no const() or var() named {given!r}", help=_near(given, known) or all_known
            )
    return made


def _near(name: str, known: Sequence[str]) -> str:
    """`did you mean asm?`; empty where nothing is like it."""
    from pybpf.compiler.frontend.scope import closest

    found = closest(name, list(known))
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
