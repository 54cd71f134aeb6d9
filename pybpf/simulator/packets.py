"""Helpers that read, change and send packets, in a simulation.

In: the packet, `sim.packet`, and what an XDP program left in front of it, `sim.metadata`. Negative results are the
kernel's errors. What is redirected is told by the answer; `sim.redirected` is the interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pybpf.simulator.numbers import signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.simulator.memory import Place
    from pybpf.simulator.simulation import Simulation

__all__ = ["PACKET_HELPERS"]

_EFAULT, _EINVAL = -14, -22
_XDP_REDIRECT, _REDIRECT = 4, 7
_MOST_METADATA = 252


def _adjust(end: str) -> Callable[[Simulation, Any, int], int]:
    """bpf_xdp_adjust_head and _tail: give or take bytes at one end of the packet. Taken bytes come back as zeroes."""

    def adjust(sim: Simulation, context: Any, delta: int) -> int:
        delta = signed(delta, 32)
        packet = sim.packet
        grown = -delta if end == "head" else delta
        if packet is None or len(packet) + grown < 14 or grown > 256:
            return _EINVAL
        if end == "head":
            _front(packet, grown)
        else:
            _back(packet, len(packet) + grown)
        return 0

    return adjust


def _front(packet: bytearray, grown: int) -> None:
    packet[:0] = bytes(max(grown, 0))
    del packet[: max(-grown, 0)]


def _back(packet: bytearray, length: int) -> None:
    packet += bytes(max(length - len(packet), 0))
    del packet[length:]


def _adjust_meta(sim: Simulation, context: Any, delta: int) -> int:
    """Metadata ends where the packet begins: it grows at its front."""
    length = len(sim.metadata) - signed(delta, 32)
    if length % 4 or not 0 <= length <= _MOST_METADATA:
        return _EINVAL
    _front(sim.metadata, length - len(sim.metadata))
    return 0


def _load(sim: Simulation, context: Any, offset: int, into: Place, size: int) -> int:
    found = (sim.packet or b"")[offset : offset + size]
    short = len(found) < size
    into.write(bytes(size) if short else bytes(found))
    return _EFAULT if short else 0


def _store(sim: Simulation, context: Any, offset: int, value: Place, size: int, flags: int = 0) -> int:
    if sim.packet is None or offset + size > len(sim.packet):
        return _EFAULT
    sim.packet[offset : offset + size] = value.read(size)
    return 0


def _pull(sim: Simulation, context: Any, size: int) -> int:
    return 0 if size <= len(sim.packet or b"") else -12


def _change_tail(sim: Simulation, context: Any, length: int, flags: int) -> int:
    if sim.packet is None or not 14 <= length <= 0xFFFF:
        return _EINVAL
    _back(sim.packet, length)
    return 0


def _change_head(sim: Simulation, context: Any, count: int, flags: int) -> int:
    if sim.packet is None or count > 256:
        return _EINVAL
    _front(sim.packet, count)
    return 0


def _redirect(sim: Simulation, ifindex: int, flags: int) -> int:
    sim.redirected = ifindex & 0xFFFFFFFF
    return _XDP_REDIRECT if sim.program_type == "XDP" else _REDIRECT


PACKET_HELPERS: dict[str, Callable[..., Any]] = {
    "bpf_xdp_adjust_head": _adjust("head"),
    "bpf_xdp_adjust_tail": _adjust("tail"),
    "bpf_xdp_adjust_meta": _adjust_meta,
    "bpf_xdp_get_buff_len": lambda sim, context: len(sim.packet or b""),
    "bpf_xdp_load_bytes": _load,
    "bpf_xdp_store_bytes": _store,
    "bpf_skb_load_bytes": _load,
    "bpf_skb_store_bytes": _store,
    "bpf_skb_pull_data": _pull,
    "bpf_skb_change_tail": _change_tail,
    "bpf_skb_change_head": _change_head,
    "bpf_redirect": _redirect,
    "bpf_redirect_peer": _redirect,
}
