"""`@bpf_iter("task")`: programs that user space runs over all objects of a kind, and whose output it reads.

@bpf_iter("task")
def dump(ctx: TaskIter) -> None:
    task = ctx.task
    if task is not None:
        ctx.seq_printf(f"{task.pid:8} {task.comm}\\n")

with load(dump) as obj:
    print(obj.programs["dump"].read())
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.record import replace
from pybpf.hooks.base import ContextHook, needs_target, site_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar

    from pybpf.compiler.schema.specs import ContextSpec, ProgramSpec
    from pybpf.program import Program
    from pybpf.stdlib.contexts.iterators import IterContext

    C = TypeVar("C", bound=IterContext)
    R = TypeVar("R", bound="int | None", covariant=True)

    class _Iterator(Protocol):
        def __call__(self, function: Callable[[C], R], /) -> Program[[C], R]: ...


__all__ = ["bpf_iter"]


class _IterHook(ContextHook):
    __slots__ = ()

    def context(self, function: Callable[..., Any]) -> tuple[ContextSpec | None, str, tuple[int, ...]]:
        from pybpf.stdlib.contexts.iterators import TARGETS, context_of

        target = self.attach["target"]
        _, said = self.first(function)
        wanted = TARGETS.get(target, ("IterContext", ""))[0]
        own = getattr(said, "__bpf_target__", target)
        if function.__code__.co_argcount != 1 or not (isinstance(said, type) and issubclass(said, self.wanted)):
            raise self.wrong_context(function, said, wanted)
        if own != target:
            raise self.wrong_context(function, said, wanted)
        if wanted in ("BpfMapElemIter", "SkStorageIter", "SockmapIter") and not hasattr(said, "__bpf_value__"):
            takes = "[u32, u64]" if wanted == "BpfMapElemIter" else "[u64]"
            if said is not self.wanted:
                raise DeclarationTypeError(
                    f"@bpf_iter: {said.__name__} needs the types of the map's elements",
                    help="as in the declaration of the map:",
                    lines=(f"def {function.__name__}(ctx: {wanted}{takes}) -> None:",),
                    site=site_in(function, function.__code__.co_varnames[0]),
                )
        spec = context_of(target, said)
        if spec is None:
            from difflib import get_close_matches

            near = get_close_matches(target, TARGETS, 1)
            raise DeclarationValueError(
                f"@bpf_iter: nothing iterates over {target!r}",
                help=f'did you mean @bpf_iter("{near[0]}")?' if near else f"there are: {', '.join(sorted(TARGETS))}",
            )
        return spec, spec.struct, ()

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        from pybpf.stdlib.contexts.iterators import TARGETS

        made = super().spec(function)
        since = (made.since, TARGETS.get(self.attach["target"], ("", made.since))[1])
        newest = max(since, key=lambda release: tuple([int(part) for part in release.split(".")]))
        return replace(made, btf=True, since=newest)


def bpf_iter(target: str, *, sleepable: bool = False) -> _Iterator:
    """All objects of a kind, one a call: "task", "task_file", "bpf_map_elem", "tcp", ... Linux 5.8.

    `obj.programs["dump"].read()` runs it over all of them and gives what it printed; see `LoadedProgram.read`. The
    answer 1 asks for the same object again. `sleepable=True`: it may wait, as for the process's memory (Linux 5.18).
    """
    from pybpf.stdlib.contexts.iterators import IterContext

    needs_target("bpf_iter", target, "what to iterate over", '@bpf_iter("task")')
    if not target.isidentifier():
        raise DeclarationValueError(f"@bpf_iter: {target!r} is no name", help='as in @bpf_iter("task")')
    pattern = f"iter{'.s' if sleepable else ''}+"
    hook = _IterHook("bpf_iter", pattern, IterContext, int, target=target, attach={"target": target}, allowed=(0, 1))
    return hook
