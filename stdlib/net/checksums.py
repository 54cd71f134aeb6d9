"""The Internet checksum (RFC 1071): of headers, of packets, and its update for a changed field (RFC 1624).

    ip.check = ip_checksum(ip)                               # of an IPv4 header without options

    tcp.check = csum_replace4(tcp.check, ip.daddr, backend)  # a field changes: no need to see the rest
    tcp.check = csum_replace2(tcp.check, tcp.dest, port)

    total = sum_packet(pkt, length)                          # of what lies from the cursor on
    if total >= 0 and csum_fold(total + pseudo_sum(ip, IPPROTO_UDP, length)) == 0: ...

A sum adds words as the other end wrote them, of 16 or of 32 bits, without carry: sums may be added, in any order,
before `csum_fold` makes a checksum of them. Fields such as `ip.check` read and write as host-order numbers, and so do
these.
"""

from __future__ import annotations

from pybpf.stdlib.struct import Struct
from pybpf.stdlib.types import Array, L, be16, be32, i64, u8, u16, u32, u64
from pybpf.stdlib.union import Union

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.stdlib.contexts.base import Packet
    from pybpf.stdlib.net.headers import iphdr, ipv6hdr

__all__ = [
    "csum_fold", "csum_replace2", "csum_replace4", "csum_replace16", "decrement_ttl", "ip_checksum", "pseudo_sum",
    "pseudo_sum6", "sum_packet", "transport_checksum", "transport_checksum6",
]  # fmt: skip


class _net16(Union):
    """A 16-bit word in host order, and as it lies in memory. What is summed in the order of memory costs no swaps, and
    the checksum is the same one, swapped: RFC 1071 §1(B).
    """

    host: be16
    raw: u16


class _net32(Union):
    """The same of 32 bits."""

    host: be32
    raw: u32


class _block(Struct):
    words: Array[u32, L[8]]


class _word(Struct):
    value: u32


class _half(Struct):
    value: u16


class _byte(Struct):
    value: u8


def _folded(total: u64) -> u16:
    """A sum as one word, carries added."""
    total = (total & 0xFFFF_FFFF) + (total >> 32)
    total = (total & 0xFFFF) + (total >> 16)  # 18 bits at most
    return _folded_twice(total)


def _folded_twice(total: u64) -> u16:
    """That of a sum below 2**31."""
    total = (total & 0xFFFF) + (total >> 16)
    return u16(total + (total >> 16))


def _raw16(data: bytes, at: int) -> u16:
    """The 16 bits at an offset, as they lie in memory."""
    return _net16(host=int.from_bytes(data[at : at + 2], "big")).raw


def _raw32(data: bytes, at: int) -> u32:
    """The 32 bits there."""
    return _net32(host=int.from_bytes(data[at : at + 4], "big")).raw


def csum_fold(total: u64) -> u16:
    """The checksum of what was summed: 0 for what holds its own right checksum."""
    return u16(~_folded(total))


def csum_replace2(check: u16, old: u16, new: u16) -> u16:
    """The checksum after a 16-bit word changed from `old` to `new`."""
    total = u16(~_net16(host=check).raw) + u16(~_net16(host=old).raw) + _net16(host=new).raw
    return _net16(raw=u16(~_folded_twice(total))).host


def csum_replace4(check: u16, old: u32, new: u32) -> u16:
    """The checksum after a 32-bit field changed from `old` to `new`."""
    change = u32(~_net32(host=old).raw) + _net32(host=new).raw
    total = u16(~_net16(host=check).raw) + (change & 0xFFFF) + (change >> 16)
    return _net16(raw=u16(~_folded_twice(total))).host


def csum_replace16(check: u16, old: bytes, new: bytes) -> u16:
    """The checksum after 16 bytes changed, such as an IPv6 address."""
    total: u64 = u16(~_net16(host=check).raw)
    for i in range(4):
        total += u32(~_raw32(old, 4 * i)) + _raw32(new, 4 * i)
    return _net16(raw=u16(~_folded(total))).host


def ip_checksum(ip: iphdr) -> u16:
    """The checksum of an IPv4 header without options, whatever its `check` is now."""
    data = bytes(ip)
    total = _raw32(data, 0) + _raw32(data, 4) + _raw16(data, 8) + _raw32(data, 12) + _raw32(data, 16)
    return _net16(raw=u16(~_folded(total))).host


def decrement_ttl(ip: iphdr) -> bool:
    """Count one hop, with the checksum, as a router does. False, and no change, where it is to be dropped."""
    if ip.ttl < 2:
        return False
    ip.ttl -= 1
    ip.check = csum_replace2(ip.check, (ip.ttl + 1) << 8, ip.ttl << 8)
    return True


def pseudo_sum(ip: iphdr, protocol: int, length: int) -> u64:
    """The sum of the pseudo header that TCP and UDP checksums start from: RFC 9293 §3.1. `length` in bytes."""
    return u64(ip.saddr + ip.daddr + protocol + length)


def pseudo_sum6(ip: ipv6hdr, protocol: int, length: int) -> u64:
    """That of IPv6: RFC 8200 §8.1, for ICMPv6 too. `protocol` is the transport's, whatever headers lie before it."""
    total: u64 = u64(protocol + length)
    for i in range(4):
        total += int.from_bytes(ip.saddr[4 * i : 4 * i + 4], "big")
        total += int.from_bytes(ip.daddr[4 * i : 4 * i + 4], "big")
    return total


def sum_packet(pkt: Packet, length: u32) -> i64:
    """The sum of `length` bytes from the cursor on, which stays where it is. -1 where the packet is shorter.

    At most 49,151 bytes (docs/semantics.md, Loops).
    """
    at = pkt.cursor
    left = length
    total: u64 = 0  # of words as they lie in memory
    while left >= 32:
        if at + 32 > pkt.data_end:
            return -1
        words = _block.at(at).words
        total += words[0] + words[1] + words[2] + words[3] + words[4] + words[5] + words[6] + words[7]
        at += 32
        left -= 32
    for _ in range(7):
        if left < 4:
            break
        if at + 4 > pkt.data_end:
            return -1
        total += _word.at(at).value
        at += 4
        left -= 4
    if left >= 2:
        if at + 2 > pkt.data_end:
            return -1
        total += _half.at(at).value
        at += 2
        left -= 2
    if left:
        if at + 1 > pkt.data_end:
            return -1
        total += _byte.at(at).value
    return _net16(raw=_folded(total)).host


def transport_checksum(pkt: Packet, ip: iphdr) -> i64:
    """The checksum of the TCP or UDP segment that starts at the cursor, as it is now. -1 where the packet is shorter.

    0 for a segment with its right checksum; what to store as the checksum where that field is 0 (for UDP 0 is written
    as 0xFFFF: RFC 768).
    """
    length = ip.tot_len - ip.ihl * 4
    if length < 0:
        return -1
    total = sum_packet(pkt, u32(length))
    if total < 0:
        return -1
    return csum_fold(u64(total) + pseudo_sum(ip, ip.protocol, length))


def transport_checksum6(pkt: Packet, ip: ipv6hdr, protocol: int, length: u32) -> i64:
    """That of the TCP, UDP or ICMPv6 segment of `length` bytes at the cursor, in IPv6."""
    total = sum_packet(pkt, length)
    if total < 0:
        return -1
    return csum_fold(u64(total) + pseudo_sum6(ip, protocol, length))
