"""Addresses as their fields hold them, from how people write them: numbers and bytes, in user space and in programs.

In a program they are constants: `__bpf_constant__` says that a call with constant arguments is computed when compiling.
"""

from __future__ import annotations

__all__ = ["ipv4", "ipv6", "mac"]


def ipv4(text: str) -> int:
    """`ipv4("10.0.0.1")` is 0x0a000001, the host-order number that a be32 field reads as. Raises ValueError."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts):
        raise ValueError(f"{text!r} is not an IPv4 address")
    return int.from_bytes(bytes(map(int, parts)), "big")


def ipv6(text: str) -> bytes:
    """`ipv6("fe80::1")`: the 16 bytes, as in ipv6hdr.saddr. Raises ValueError."""
    from ipaddress import IPv6Address

    return IPv6Address(text).packed


def mac(text: str) -> bytes:
    """`mac("02:00:00:00:00:01")`: the 6 bytes of a hardware address. Raises ValueError."""
    parts = text.replace("-", ":").split(":")
    if len(parts) != 6 or not all(len(part) == 2 for part in parts):
        raise ValueError(f"{text!r} is not a hardware address")
    return bytes([int(part, 16) for part in parts])


for _function in (ipv4, ipv6, mac):
    setattr(_function, "__bpf_constant__", True)  # noqa: B010 (functions have no such attribute for type checkers)
