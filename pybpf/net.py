"""Packet headers, protocol numbers and addresses: `from pybpf.net import ETH_P_IP, ethhdr, iphdr, ipv4`."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.stdlib.net import *  # noqa: F403
    from pybpf.stdlib.net import __all__ as __all__
else:
    from pybpf.stdlib import net as _net

    __all__ = _net.__all__

    def __getattr__(name):
        return getattr(_net, name)

    def __dir__():
        return sorted({*globals(), *__all__})
