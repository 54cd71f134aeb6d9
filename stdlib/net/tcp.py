"""TCP's options (RFC 9293 §3.2): what each looks like, and the search for one.

    tcp = pkt.parse(tcphdr)
    if tcp is not None:
        mss = find_option(pkt, tcp, tcp_mss)
        if mss is not None and mss.value < 536: ...

After `pkt.parse(tcphdr)` the cursor is at the options, and looking for some does not move it.
"""

from __future__ import annotations

from pybpf.stdlib.builtins import sizeof
from pybpf.stdlib.struct import Struct
from pybpf.stdlib.types import be16, be32, u8  # noqa: TC001 - fields are read at run time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from pybpf.stdlib.contexts.base import Packet
    from pybpf.stdlib.net.headers import tcphdr

    H = TypeVar("H", bound=Struct)

__all__ = [
    "TCPOPT_EOL", "TCPOPT_FASTOPEN", "TCPOPT_MD5SIG", "TCPOPT_MSS", "TCPOPT_NOP", "TCPOPT_SACK", "TCPOPT_SACK_PERM",
    "TCPOPT_TIMESTAMP", "TCPOPT_WINDOW", "each_option", "find_option", "skip_options", "tcp_mss", "tcp_option",
    "tcp_sack_block", "tcp_sack_permitted", "tcp_timestamp", "tcp_window_scale",
]  # fmt: skip

# include/net/tcp.h
TCPOPT_EOL = 0
TCPOPT_NOP = 1
TCPOPT_MSS = 2
TCPOPT_WINDOW = 3
TCPOPT_SACK_PERM = 4
TCPOPT_SACK = 5
TCPOPT_TIMESTAMP = 8
TCPOPT_MD5SIG = 19
TCPOPT_FASTOPEN = 34


class _kind(Struct):
    kind: u8


class tcp_option(Struct):
    """What an option begins with, other than TCPOPT_EOL and TCPOPT_NOP. `length` counts these two bytes too."""

    kind: u8
    length: u8


class tcp_mss(tcp_option):
    """The largest segment that the sender takes, in bytes."""

    KIND = TCPOPT_MSS
    value: be16


class tcp_window_scale(tcp_option):
    """How far windows are to be shifted to the left: RFC 7323 §2."""

    KIND = TCPOPT_WINDOW
    shift: u8


class tcp_sack_permitted(tcp_option):
    """Selective acknowledgements may be sent: RFC 2018 §2."""

    KIND = TCPOPT_SACK_PERM


class tcp_sack_block(tcp_option, packed=True):
    """The first block of a selective acknowledgement: RFC 2018 §3."""

    KIND = TCPOPT_SACK
    left: be32
    right: be32


class tcp_timestamp(tcp_option, packed=True):
    """The sender's clock, and the one it saw last: RFC 7323 §3."""

    KIND = TCPOPT_TIMESTAMP
    value: be32
    echo: be32


def find_option(pkt: Packet, tcp: tcphdr, option: type[H]) -> H | None:
    """The first option of a kind: `find_option(pkt, tcp, tcp_mss)`; None where there is none, or it is malformed.

    `tcp` was parsed last, so that the cursor is behind it. An option of one's own is a subclass of `tcp_option` that
    has its number as KIND.
    """
    at = pkt.cursor
    left = tcp.doff * 4 - 20
    while left >= sizeof(option):
        if at + sizeof(option) > pkt.data_end:
            return None
        kind = _kind.at(at).kind
        if kind == TCPOPT_EOL:
            return None
        if kind == TCPOPT_NOP:
            at += 1
            left -= 1
        else:
            length = tcp_option.at(at).length
            if length < 2 or length > left:
                return None
            if kind == option.KIND:  # type: ignore[attr-defined]
                if length < sizeof(option):
                    return None
                return option.at(at)
            at += length
            left -= length
    return None


def each_option(pkt: Packet, tcp: tcphdr, visit: Callable[[int, int, int], object]) -> bool:
    """Call `visit(kind, length, first)` for each option but NOPs, in order. False where they are malformed.

    `first` is the option's first two bytes of data as a number, 0 where there are fewer. `visit` is a function of the
    program, also one inside it; it may change maps and globals, not the variables around it.
    """
    at = pkt.cursor
    left = tcp.doff * 4 - 20
    if left < 0:
        return False
    while left > 0:
        if at + 1 > pkt.data_end:
            return False
        kind = _kind.at(at).kind
        if kind == TCPOPT_EOL:
            return True
        if kind == TCPOPT_NOP:
            at += 1
            left -= 1
        else:
            if left < 2 or at + 2 > pkt.data_end:
                return False
            length = tcp_option.at(at).length
            if length < 2 or length > left:
                return False
            first = 0
            if length >= 4:
                if at + 4 > pkt.data_end:
                    return False
                first = tcp_mss.at(at).value
            visit(kind, length, first)
            at += length
            left -= length
    return True


def skip_options(pkt: Packet, tcp: tcphdr) -> bool:
    """Move the cursor from behind the TCP header to the data. False where the packet ends before."""
    return tcp.doff >= 5 and pkt.skip(tcp.doff * 4 - 20)
