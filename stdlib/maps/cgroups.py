"""Cgroups by number, for programs to ask whether a task or a socket is inside.

    groups = CgroupArray(4)                          obj[groups][0] = "/sys/fs/cgroup/web"

    if groups.holds_current(0): ...                  the task that runs now is in that cgroup, or below it
"""

from __future__ import annotations

from pybpf.compiler.schema.types import U32
from pybpf.stdlib.helpers import bpf_current_task_under_cgroup, bpf_skb_under_cgroup
from pybpf.stdlib.mapkinds import KINDS
from pybpf.stdlib.maps.base import Declaration, in_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.schema.types import Type
    from pybpf.stdlib.contexts.skb import LwtContext, TcContext

__all__ = ["CgroupArray"]


class CgroupArray(Declaration):
    """`CgroupArray(n)`: BPF_MAP_TYPE_CGROUP_ARRAY, n slots for cgroups of version 2, which user space fills."""

    kind = KINDS["CGROUP_ARRAY"]
    _parameters = ()
    _example = "CgroupArray(4)"
    _types = ("cgroup",)

    def __init__(self, max_entries: int, *, name: str = "", pin: bool = False) -> None:
        super().__init__(max_entries, name=name, pin=pin)

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        return U32, U32

    @in_program
    def holds_current(self, index: int) -> bool:
        """Whether the current task is in the slot's cgroup, or in one below it. False where the slot is empty.

        bpf_current_task_under_cgroup, Linux 4.9.
        """
        return bpf_current_task_under_cgroup(self, index) == 1

    @in_program
    def holds_packet(self, packet: TcContext | LwtContext, index: int) -> bool:
        """Whether a packet's socket belongs to the slot's cgroup, or to one below it. False where the slot is empty.

        bpf_skb_under_cgroup, Linux 4.8, for @tc, @tcx and @lwt on the way out: elsewhere packets have no socket.
        """
        return bpf_skb_under_cgroup(packet, self, index) == 1
