"""Hooks of the kernel's security modules: `@lsm("file_open")`, and `@lsm.cgroup("socket_bind")` for one cgroup.

    @lsm("file_open")
    def guard(file: file) -> int:
        return -1 if file.f_inode.i_ino == secret else 0       # -EPERM

The parameters are the hook's (include/linux/lsm_hook_defs.h), typed by the kernel's BTF, as at @fentry; `ret` is what
programs before this one answered.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import NONE, NoneType
from pybpf.hooks.base import needs_target, site_in
from pybpf.hooks.btf import BtfHook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, TypeVar

    from typing_extensions import ParamSpec

    from pybpf.compiler.btf.kernel import Prototype
    from pybpf.compiler.schema.specs import ProgramSpec
    from pybpf.compiler.schema.types import Type
    from pybpf.program import Program

    P = ParamSpec("P")
    R = TypeVar("R", bound="int | None", covariant=True)
    B = TypeVar("B", bound=int, covariant=True)

    class _Lsm(Protocol):
        def __call__(self, function: Callable[P, R], /) -> Program[P, R]: ...

    class _LsmCgroup(Protocol):
        def __call__(self, function: Callable[P, B], /) -> Program[P, B]: ...


__all__ = ["lsm"]

_LEAST = -4095  # -MAX_ERRNO


class _LsmHook(BtfHook):
    """`cgroup`: the answer is whether it goes on, 1, or is refused, 0; else it is 0, or an error number below zero."""

    __slots__ = ("cgroup",)

    def __init__(self, pattern: str, target: str, *, cgroup: bool, allowed: tuple[int, int]) -> None:
        name = "lsm.cgroup" if cgroup else "lsm"
        super().__init__(name, pattern, target, _signature, results=True, allowed=allowed, default=int(cgroup))
        self.cgroup = cgroup

    def spec(self, function: Callable[..., Any]) -> ProgramSpec:
        return replace(super().spec(function), void=self._void())

    def _void(self) -> bool:
        found = self._found()
        return found is not None and isinstance(found.result, NoneType)

    def returns(self, function: Callable[..., Any]) -> Type:
        said = super().returns(function)
        if self._void() and said is not NONE:
            raise DeclarationTypeError(
                f"@{self.name}: the kernel takes no answer at {self.target}: {function.__name__}() must return None",
                help="write:",
                lines=(f"def {function.__name__}(...) -> None:",),
                site=site_in(function, "return"),
            )
        return said

    def _doubt(self) -> tuple[str, str]:
        what, _ = super()._doubt()
        if not what:
            return "", ""
        from pybpf.stdlib.kernel.functions import like

        near, _ = like(f"bpf_lsm_{self.target}")
        hint = f'did you mean @{self.name}("{near[8:]}")?' if near.startswith("bpf_lsm_") else ""
        return f"the running kernel has no LSM hook {self.target!r}", hint


def _signature(hook: str) -> Prototype | None:
    from pybpf.stdlib.kernel.functions import function

    return function(f"bpf_lsm_{hook}")


def _made(hook: str, name: str, sleepable: bool) -> _LsmHook:
    needs_target(name, hook, "the name of a hook", f'@{name}("file_open")')
    hook = hook.removeprefix("bpf_lsm_").removeprefix("security_")
    if not hook.isidentifier():
        raise DeclarationValueError(f"@{name}: {hook!r} is no name", help=f'as in @{name}("file_open")')
    from pybpf.stdlib.lsm import BOOLEAN, DISABLED, SLEEPABLE

    if hook in DISABLED:
        raise DeclarationValueError(
            f"@{name}: no program may run at {hook}: its answer is more than an error number",
            help=f'@fexit("security_{hook}") sees it',
        )
    if sleepable and hook not in SLEEPABLE:
        raise DeclarationValueError(
            f"@{name}: {hook} is called where the kernel can't sleep", help="leave out sleepable=True"
        )
    if name == "lsm.cgroup":
        return _LsmHook("lsm_cgroup+", hook, cgroup=True, allowed=(0, 1))
    allowed = (0, 1) if hook in BOOLEAN else (_LEAST, 0)
    return _LsmHook(f"lsm{'.s' if sleepable else ''}+", hook, cgroup=False, allowed=allowed)


class _LsmDecorator:
    """`@lsm`, and what follows the dot."""

    __slots__ = ()

    def __call__(self, hook: str, *, sleepable: bool = False) -> _Lsm:
        """A decision of the kernel, `@lsm("file_open")`: 0 lets it pass, an error number below zero refuses it.

        `sleepable=True` where the kernel may sleep. Linux 5.7, booted with `bpf` among its security modules
        (`lsm=...,bpf`).
        """
        return _made(hook, "lsm", sleepable)  # type: ignore[return-value]

    def cgroup(self, hook: str) -> _LsmCgroup:
        """The decision for the processes or sockets of a cgroup, which attaching names: 1 lets it pass, 0 refuses.

        `load(guard).attach(guard="/sys/fs/cgroup/web")`. A refusal is -EPERM. Linux 6.0.
        """
        return _made(hook, "lsm.cgroup", False)  # type: ignore[return-value]

    def __repr__(self) -> str:
        return "<hook lsm>"


lsm = _LsmDecorator()
