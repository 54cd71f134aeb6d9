"""Packet headers, protocol numbers and addresses: `from pybpf.net import ETH_P_IP, ethhdr, iphdr, ipv4`."""

from pybpf.stdlib.net import *  # noqa: F403
from pybpf.stdlib.net import __all__ as __all__
