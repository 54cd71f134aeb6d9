"""Hooks that see packets: XDP."""

from __future__ import annotations

from pybpf.hooks.base import ContextHook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol, overload

    from pybpf.program import Program
    from pybpf.stdlib.actions import XDP
    from pybpf.stdlib.contexts.packets import XdpContext

    class _Xdp(Protocol):
        def __call__(self, function: Callable[[XdpContext], XDP], /) -> Program[[XdpContext], XDP]: ...


__all__ = ["xdp"]


if TYPE_CHECKING:

    @overload
    def xdp(function: Callable[[XdpContext], XDP], /) -> Program[[XdpContext], XDP]: ...
    @overload
    def xdp(*, frags: bool = False) -> _Xdp: ...
    def xdp(function: Callable[[XdpContext], XDP] | None = None, /, *, frags: bool = False) -> Any:
        """Frames as the driver receives them, before the network stack. `frags=True`: frames in several buffers too."""

else:

    def xdp(function=None, /, *, frags=False):
        """Frames as the driver receives them, before the network stack. `frags=True`: frames in several buffers too."""
        from pybpf.stdlib.actions import XDP
        from pybpf.stdlib.contexts.packets import XdpContext

        hook = ContextHook("xdp", "xdp.frags" if frags else "xdp", XdpContext, XDP, attach={"frags": frags})
        return hook if function is None else hook(function)
