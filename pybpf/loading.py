"""`load`: programs -> running programs. `wait` lets them work."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pybpf.building import Object
    from pybpf.compiler.codegen.emit import MachineCode
    from pybpf.compiler.schema.specs import ProgramSpec, Target
    from pybpf.hooks.structops import StructOps
    from pybpf.program import Program
    from pybpf.runtime.object import LoadedObject
    from pybpf.runtime.printk import Printk
    from pybpf.runtime.program import LoadedProgram
    from pybpf.runtime.verifier import Origin

__all__ = ["load", "trace_pipe", "wait"]


def load(
    *programs: Program[..., Any] | type[StructOps] | Object,
    target: Target | None = None,
    log_level: int = 0,
    target_program: LoadedProgram | Mapping[str, LoadedProgram] | None = None,
    pin_path: str = "",
    **consts: Any,
) -> LoadedObject:
    """Compile programs for this machine's kernel (or take one compiled Object) and load them; use it as a `with` block.

    `consts` set `const()`s and `var()`s, by name. `log_level` 1 or 2 keeps the verifier's log of programs that load.
    `target_program` is the loaded program that @freplace, or a tracer of programs, is for; or a dict of them, by name.
    `pin_path` is the directory of a bpf file system for maps declared with `pin=True`, in place of /sys/fs/bpf.
    Raises CompileError for a program that is refused here; VerifierError, with the Python line, for one that the kernel
    refuses; NotPermitted or NoBpf, which say what would help.
    """
    from pybpf.building import Object, compile_specs, specs_of
    from pybpf.runtime.object import load_object

    if len(programs) == 1 and isinstance(programs[0], Object):
        made = programs[0]
    else:
        made = compile_specs([_as_it_is_here(spec) for spec in specs_of(programs)], target or _this_kernel(), "", {})

    def origin(program: str, slot: int) -> Origin | None:
        return _origin(made, program, slot)

    from pybpf.runtime.errors import LoadError

    try:
        return load_object(
            made, globals=consts, log_level=log_level, origin=origin, target_program=target_program, pin_path=pin_path
        )
    except LoadError as error:
        if error.extern:
            error.message += _uses(made, error.extern)
        raise


def _this_kernel() -> Target:
    """What programs that are loaded at once are compiled for."""
    import os

    from pybpf.compiler.schema.specs import Target
    from pybpf.runtime.isalevel import best_level

    major, minor = os.uname().release.split(".")[:2]
    target = Target(kernel=(int(major), int(minor.split("-")[0])))
    target.cpu = best_level()  # distributions bring newer levels to releases that Target knows to lack them
    return target


def _as_it_is_here(spec: ProgramSpec) -> ProgramSpec:
    """A tracepoint's program with the fields where this kernel has them, which other kernels may have elsewhere; a
    probe's likewise with the parameters.
    """
    if "here" in spec.attach:
        made: ProgramSpec = spec.attach["here"]()
        return made
    if spec.attach.get("kind") != "tracepoint" or spec.context is None:
        return spec
    from pybpf.compiler.schema.record import replace
    from pybpf.runtime.errors import NotPermitted
    from pybpf.runtime.tracefs import event_format
    from pybpf.stdlib.tracepoints import context_of

    category, event = spec.attach["category"], spec.attach["event"]
    try:
        text = event_format(category, event)
    except NotPermitted:  # loading will say what is missing
        return spec
    return replace(spec, context=context_of(category, event, spec.context.owner, text))


def _placed(made: Object, program: str) -> list[tuple[int, MachineCode]]:
    """The functions that the kernel gets for a program, each with the slot that it begins at.

    libbpf appends what a function refers to when it first meets it, and then what that refers to
    (bpf_object__reloc_code in libbpf.c).
    """
    found: dict[str, tuple[int, MachineCode]] = {}
    end = 0

    def place(name: str) -> None:
        nonlocal end
        code = made.functions.get(name)
        if code is None or name in found:
            return
        found[name] = end, code
        end += len(code.code) // 8
        for reloc in code.relocs:
            if reloc.kind in ("call", "callback"):
                place(reloc.symbol)

    place(program)
    return list(found.values())


def _origin(made: Object, program: str, slot: int) -> Origin | None:
    """Where instruction slot `slot` of a program, as the kernel counts, comes from; None: nowhere in the source."""
    for begin, piece in _placed(made, program):
        if begin <= slot < begin + len(piece.code) // 8:
            return _origin_in(piece, slot - begin)
    return None


def _origin_in(code: MachineCode, slot: int) -> Origin | None:
    """The same for a slot of one function."""
    from pybpf.compiler.codegen.names import variables_at
    from pybpf.runtime.verifier import Origin

    span = None
    for at, insn in code.insns:
        if at > slot:
            break
        span = insn.span or span
    if span is None:
        return None
    end = span.end_col if span.end_line == span.line else 0
    variables = {place.lower(): name for place, name in variables_at(code, slot).items()}
    return Origin(span.source.name, span.line, span.source.line(span.line), span.col, end, variables)


def _uses(made: Object, symbol: str) -> str:
    """Where programs use a value of the kernel first, as the lines below an error; "" where that is nowhere."""
    from pybpf.runtime.verifier import snippet

    for name in made.programs:
        for code in [code for _, code in _placed(made, name)]:
            for reloc in code.relocs:
                origin = _origin_in(code, reloc.offset // 8) if reloc.symbol == symbol else None
                if origin is not None:
                    lines = snippet(origin.file, origin.line, origin.text, origin.col, origin.end_col, "-->")
                    return "\n" + "\n".join(lines)
    return ""


def trace_pipe(pid: int | None = None) -> Printk:
    """Lines that `printk` prints from now on, of all programs: `for line in trace_pipe(): print(line)`."""
    from pybpf.runtime.printk import Printk

    return Printk(pid)


def wait(seconds: float | None = None) -> None:
    """Do nothing while the loaded programs work: for some seconds, or until Ctrl-C, which then is no error."""
    import time

    if seconds is not None:
        time.sleep(seconds)
        return
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass
