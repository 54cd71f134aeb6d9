"""`pybpf explain bpf_ktime_get_ns`: a helper or a function of the kernel, as the program calls it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.schema.specs import HelperSpec, IterSpec, KfuncSpec

__all__ = ["function_page", "near_functions"]


def function_page(name: str) -> str | None:
    """What is known of a helper or kernel function: its prototype, what it does, who may call it. None: no such one."""
    from pybpf.stdlib.helpers import spec_of as helper
    from pybpf.stdlib.kfuncs import iterator
    from pybpf.stdlib.kfuncs import spec_of as kfunc

    found = helper(name)
    if found is not None:
        return _helper(found)
    function = kfunc(name)
    if function is not None:
        end = name.rpartition("_")[2]
        return _kfunc(function, iterator(name.removesuffix(f"_{end}")) if end in ("new", "next", "destroy") else None)
    looped = iterator(name)
    return _kfunc(looped.new, looped) if looped is not None else None


def near_functions(name: str) -> list[str]:
    """Names of helpers and kernel functions that look like one that there is not, best first."""
    from difflib import get_close_matches

    from pybpf.stdlib import helpers, kfuncs

    return get_close_matches(name, [*helpers.names(), *kfuncs.names(), *kfuncs.iterators()], 3, 0.7)


def _helper(spec: HelperSpec) -> str:
    from textwrap import fill

    arguments = [argument.name for argument in spec.args]
    call = f"helpers.{spec.name}({', '.join(arguments)})"
    if spec.body:
        from pybpf.compiler.frontend.helperloops import loop_arguments

        arguments = [argument.name for _, argument in loop_arguments(spec)]
        call = f"for {spec.body[-1][0]} in helpers.{spec.name}({', '.join(arguments)}):"
    lines = [f"{spec.name}: helper number {spec.id}", "", f"    {spec.signature}", ""]
    if spec.doc:
        lines += [fill(spec.doc, 100), ""]
    lines += ["In a program:", "", f"    {call}", ""]
    if spec.release is not None:
        lines.append(f"What it gives must be released, by {_releasers(spec)}; `with releasing(...)` does so.")
    if spec.gpl:
        lines.append("For programs under a GPL-compatible licence only.")
    if spec.sleepable:
        lines.append("It may sleep: for programs that may.")
    lines.append(f"Since Linux {spec.since}." if spec.since else "")
    lines.append(fill(f"Programs: {', '.join(_programs(spec.programs)) or 'all'}.", 100))
    for key, places in sorted(spec.targets.items()):
        lines.append(fill(f"As {key.lower().rpartition('/')[2]}, only at {', '.join(sorted(places))}.", 100))
    return "\n".join([line for line in lines if line is not None]).strip()


def _releasers(spec: HelperSpec) -> str:
    assert spec.release is not None
    if spec.release.name == "bpf_ringbuf_discard":
        return "bpf_ringbuf_submit() or bpf_ringbuf_discard()"
    return f"{spec.release.name}()"


def _kfunc(spec: KfuncSpec, looped: IterSpec | None = None) -> str:
    """The page of a function; of one that an iterator is made of, with the loop that calls it."""
    from textwrap import fill

    from pybpf.compiler.frontend.kfuncs import plain_name, prototype

    arguments = ", ".join([plain_name(name) for name, _ in spec.params])
    lines = [f"{spec.name}: function of the kernel", "", f"    {prototype(spec)}", ""]
    call = f"kfuncs.{spec.name}({arguments})"
    if looped is not None:
        given = ", ".join([plain_name(name) for name, _ in looped.new.params[1:]])
        call = f"for item in kfuncs.{looped.name}({given}):"
        lines[0] = f"{looped.name}: iterator of the kernel"
        lines[2:3] = [f"    {prototype(part)}" for part in (looped.new, looped.next, looped.destroy)]
    lines += ["In a program:", "", f"    {call}", ""]
    if spec.release is not None:
        lines.append(f"What it gives must be released, by {spec.release.name}(); `with releasing(...)` does so.")
    if spec.nullable:
        lines.append("What it gives may be None.")
    lines.append("For programs under a GPL-compatible licence only.")
    if "sleepable" in spec.flags:
        lines.append("It may sleep: for programs that may.")
    if "trusted_args" in spec.flags:
        lines.append("Its objects must be trusted: arguments of the program, or acquired.")
    if spec.since:
        lines.append(f"Since Linux {spec.since}.")
    lines.append(fill(f"Programs: {', '.join(_programs(spec.programs)) or 'all'}.", 100))
    return "\n".join(lines)


def _programs(allowed: dict[str, str]) -> list[str]:
    """Who may call it: `xdp`, `tracing (BPF_TRACE_ITER)`, `sched_cls (since 6.12)`."""
    made = []
    for key, since in sorted(allowed.items()):
        kind, _, attached = key.partition("/")
        more = ", ".join([word for word in (attached, f"since {since}" if since else "") if word])
        made.append(kind.lower() + (f" ({more})" if more else ""))
    return made
