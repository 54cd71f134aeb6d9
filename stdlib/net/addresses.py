"""Addresses as their fields hold them, from how people write them and back.

In a program they are constants: `__bpf_constant__` says that a call with constant arguments is computed when compiling.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, overload

    @overload
    def ipv4(address: str) -> int: ...
    @overload
    def ipv4(address: int) -> str: ...
    def ipv4(address: Any) -> Any:
        """`ipv4("10.0.0.1")` is 0x0a000001, the host-order number that a be32 field reads as; of a number, the text.

        Raises ValueError.
        """

    @overload
    def ipv6(address: str) -> bytes: ...
    @overload
    def ipv6(address: bytes | Sequence[int]) -> str: ...
    def ipv6(address: Any) -> Any:
        """`ipv6("fe80::1")`: the 16 bytes, as in ipv6hdr.saddr; `ipv6(ip.saddr)` the text.

        An IPv4 address among them (`Flow.saddr`) is written as one: ::ffff:10.0.0.1. Raises ValueError.
        """

    @overload
    def mac(address: str) -> bytes: ...
    @overload
    def mac(address: bytes | Sequence[int]) -> str: ...
    def mac(address: Any) -> Any:
        """`mac("02:00:00:00:00:01")`: the 6 bytes of a hardware address; `mac(data)` the text. Raises ValueError."""

else:

    def ipv4(address):
        """The number of an address, or its text."""
        if isinstance(address, int):
            if not 0 <= address < 1 << 32:
                raise ValueError(f"{address} is not an IPv4 address, which has 32 bits")
            return ".".join([str(byte) for byte in int(address).to_bytes(4, "big")])
        parts = address.split(".")
        if len(parts) != 4 or not all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts):
            raise ValueError(f"{address!r} is not an IPv4 address")
        return int.from_bytes(bytes(map(int, parts)), "big")

    def ipv6(address):
        """The bytes of an address, or its text."""
        from ipaddress import IPv6Address

        if isinstance(address, str):
            return IPv6Address(address).packed
        packed = _bytes(address, 16, "an IPv6 address")
        inner = IPv6Address(packed).ipv4_mapped
        return str(IPv6Address(packed)) if inner is None else f"::ffff:{inner}"

    def mac(address):
        """The bytes of an address, or its text."""
        if not isinstance(address, str):
            return ":".join([f"{byte:02x}" for byte in _bytes(address, 6, "a hardware address")])
        parts = address.replace("-", ":").split(":")
        if len(parts) != 6 or not all(len(part) == 2 for part in parts):
            raise ValueError(f"{address!r} is not a hardware address")
        return bytes([int(part, 16) for part in parts])


__all__ = ["ipv4", "ipv6", "mac"]


def _bytes(given: bytes | Sequence[int], size: int, what: str) -> bytes:
    if len(given) != size:
        raise ValueError(f"{given!r} is not {what}, which has {size} bytes")
    return bytes(given)


for _function in (ipv4, ipv6, mac):
    setattr(_function, "__bpf_constant__", True)  # noqa: B010 (functions have no such attribute for type checkers)
