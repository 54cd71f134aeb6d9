"""What infrared decoders are given: a sample, in the form of include/uapi/linux/lirc.h."""

from __future__ import annotations

from pybpf.compiler.schema.specs import ContextSpec, CtxField
from pybpf.compiler.schema.types import U32
from pybpf.stdlib.contexts.base import Context

TYPE_CHECKING = False

__all__ = ["LircContext"]


class LircContext(Context):
    """A pulse or a pause as a receiver saw it: its length in microseconds, and in the top byte which (LIRC_MODE2_*)."""

    if TYPE_CHECKING:
        sample: int

    def is_pulse(self) -> bool:
        """LIRC_IS_PULSE: light was seen."""
        return self.sample & 0xFF000000 == 0x01000000

    def duration(self) -> int:
        """LIRC_VALUE: microseconds."""
        return self.sample & 0x00FFFFFF


if not TYPE_CHECKING:
    LircContext.__bpf__ = ContextSpec("lirc_mode2", (CtxField("sample", U32, 0, 4),), (), LircContext)
