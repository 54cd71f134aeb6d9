"""The compiler: decorated Python functions in, object bytes out. Imported as `pybpf.compiler`.

`compile` below is the whole way. Each stage is a package that takes a complete value and returns a new one:

    schema/       types, layouts, declarations: the data that all stages share
    diagnostics/  what a user can do wrong, and how it is shown
    frontend/     source text -> Python's syntax tree -> typed tree
    irbuild/      typed tree -> SSA
    ir/           the SSA form: its text, its checker
    analysis/     facts about SSA;  passes/  what makes it better
    codegen/      SSA -> machine code, with registers allocated
    isa/          instructions: encode, disassemble, assemble
    btf/  elf/    the object file and its type information

It knows no kernel, no libbpf and no standard library, and the same programs give the same bytes anywhere.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import Any

    from pybpf.compiler.object import Object
    from pybpf.compiler.schema.specs import GlobalSpec, ProgramSpec, Target

__all__ = ["compile"]


def compile(
    programs: Sequence[ProgramSpec],
    target: Target,
    *,
    name: str = "",
    initial: Callable[[GlobalSpec], bytes] | None = None,
    observe: Callable[[str, Any], None] | None = None,
    skip: Collection[str] = (),
) -> Object:
    """Compile programs into one object, with exactly the maps and globals that they reach.

    `name` is the object's (the first program's, if empty). `initial` gives the bytes that a global starts with, in
    place of the declared ones. `observe` is called with the name and the value of every stage, before the next one
    begins (and of every pass, and of every function in machine code); the value may change afterwards. `skip` names
    optimisations (optimisations.py) to leave out. Raises CompileError with everything that is wrong.
    """
    from pybpf.compiler.elf.writer import write_object
    from pybpf.compiler.frontend import check, parse
    from pybpf.compiler.generate import generate
    from pybpf.compiler.irbuild import build
    from pybpf.compiler.link import finish, link
    from pybpf.compiler.passes import optimise

    see = observe or _nothing
    parsed = parse(programs)  # source text -> Python's syntax tree
    see("parsed", parsed)
    typed = check(parsed, target)  # every name resolved, every expression of known type
    see("tree", typed)
    module = build(typed, target)  # SSA, as the program says it
    see("ir:before", module)
    optimise(module, skip, lambda name, function: see(f"ir:after-{name}", function))  # SSA, as it should run
    see("ir", module)
    machine = generate(module, target, observe, skip)  # instructions, registers allocated
    see("asm", machine)
    model = link(module, typed, machine, initial)  # everything that goes into the object
    see("model", model)
    elf = write_object(model)  # the object's bytes
    return finish(name or programs[0].name, elf, typed, machine, target)


def _nothing(stage: str, value: Any) -> None:
    """Nobody is watching."""
