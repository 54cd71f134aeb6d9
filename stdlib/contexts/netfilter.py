"""What netfilter programs are given: `struct bpf_nf_ctx` of include/linux/netfilter.h, Linux 6.4."""

from __future__ import annotations

from pybpf.compiler.schema.specs import ContextSpec, CtxField
from pybpf.compiler.schema.types import PtrType, Space
from pybpf.stdlib.contexts.base import Context, Later

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.kernel import nf_hook_state, sk_buff

__all__ = ["NetfilterContext"]


class NetfilterContext(Context):
    """A packet at a netfilter hook: the hook's `state` (its number, family, interfaces) and the `skb`.

    Both are the kernel's own structs, whose members are loaded.
    """

    if TYPE_CHECKING:
        state: nf_hook_state
        skb: sk_buff


if not TYPE_CHECKING:

    def _spec() -> ContextSpec:
        from pybpf.stdlib.kernel.names import lookup

        rows = (("state", "nf_hook_state", 0), ("skb", "sk_buff", 8))
        fields = [CtxField(name, PtrType(lookup(kind).__bpf__, Space.TRUSTED), at, 8) for name, kind, at in rows]
        return ContextSpec("bpf_nf_ctx", tuple(fields), (), NetfilterContext)

    NetfilterContext.__bpf__ = Later(_spec)
