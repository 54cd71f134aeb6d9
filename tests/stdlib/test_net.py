"""Packet headers and numbers, against the C compiler's view of the kernel's headers."""

from __future__ import annotations

import struct
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import net
from pybpf.compiler.schema.types import IntType
from pybpf.runtime.codec import codec
from pybpf.stdlib.net import headers, numbers

if TYPE_CHECKING:
    from pathlib import Path

INCLUDES = ["stdio.h", "string.h", "stddef.h", "netinet/in.h", "linux/if_ether.h", "linux/if_arp.h", "linux/ip.h",
            "linux/ipv6.h", "linux/tcp.h", "linux/udp.h", "linux/icmp.h", "linux/icmpv6.h", "linux/mpls.h"]  # fmt: skip

# What include/ has and include/uapi has not: linux/if_vlan.h, linux/sctp.h, net/ipv6.h, net/gre.h, net/vxlan.h,
# net/geneve.h; and RFC 826, of whose end linux/if_arp.h has a comment only.
KERNEL_ONLY = """
struct vlan_hdr { __be16 h_vlan_TCI; __be16 h_vlan_encapsulated_proto; };
struct sctphdr { __be16 source; __be16 dest; __be32 vtag; __le32 checksum; };
struct arp_ipv4 {
    __be16 ar_hrd; __be16 ar_pro; unsigned char ar_hln; unsigned char ar_pln; __be16 ar_op;
    unsigned char ar_sha[6]; unsigned char ar_sip[4]; unsigned char ar_tha[6]; unsigned char ar_tip[4];
};
struct frag_hdr { __u8 nexthdr; __u8 reserved; __be16 frag_off; __be32 identification; };
struct gre_base_hdr { __be16 flags; __be16 protocol; };
struct vxlanhdr { __be32 vx_flags; __be32 vx_vni; };
struct genevehdr {
    __u8 opt_len:6, ver:2; __u8 rsvd1:6, critical:1, oam:1; __be16 proto_type; __u8 vni[3]; __u8 rsvd2;
};
"""

# Structs that have no name of their own in C: where they are.
NAMELESS = {"icmp_un": "un", "icmp_echo": "un.echo", "icmp_frag": "un.frag"}


def c_program(tmp_path: Path, lines: list[str], before: str = "") -> list[str]:
    file = tmp_path / "probe.c"
    includes = [f"#include <{name}>" for name in INCLUDES]
    file.write_text("\n".join([*includes, before, "int main(void) {", *lines, "}"]))
    subprocess.run(["gcc", "-w", "-o", tmp_path / "probe", file], check=True)
    done = subprocess.run([tmp_path / "probe"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_headers_are_the_kernels(tmp_path: Path) -> None:
    lines, expected = [], []
    for name in headers.__all__:
        ours: Any = getattr(headers, name)
        for field in ours.__bpf__.fields:
            if field.bits:  # a bit set in C is where ours is
                lines.append(f"{{ struct {name} h; memset(&h, 0, sizeof h); h.{field.name} = ~0;")
                lines.append("unsigned long long n = 0; unsigned char *b = (void *)&h; int at = 0;")
                lines.append("while (!b[at]) at++; memcpy(&n, b + at, sizeof h - at < 8 ? sizeof h - at : 8);")
                lines.append('printf("%d\\n%d\\n", 8 * at + __builtin_ctzll(n), __builtin_popcountll(n)); }')
                expected += [str(8 * field.offset + field.bit_offset), str(field.bits)]
                continue
            member = field.name.replace("unused", "__unused")
            inside = f"{NAMELESS[name]}.{member}" if name in NAMELESS else member
            outer = "icmphdr" if name in NAMELESS else name
            at = f" - offsetof(struct icmphdr, {NAMELESS[name]})" if name in NAMELESS else ""
            lines.append(f'printf("%zu\\n", offsetof(struct {outer}, {inside}){at});')
            expected.append(str(field.offset))
        sized = f"((struct icmphdr *)0)->{NAMELESS[name]}" if name in NAMELESS else f"struct {name}"
        lines.append(f'printf("%zu\\n", sizeof({sized}));')
        expected.append(str(ours.__bpf__.size))
    assert c_program(tmp_path, lines, KERNEL_ONLY) == expected


def test_extensions_and_tunnels_are_the_kernels(tmp_path: Path) -> None:
    """Their bit fields are read in test_packets.py."""
    theirs = {"vni_bytes": "vni", "un": "icmp6_dataun"}
    lines, expected = [], []
    for header in (
        net.ipv6_opt_hdr, net.frag_hdr, net.icmp6hdr, net.gre_base_hdr, net.vxlanhdr, net.genevehdr, net.mpls_label,
    ):  # fmt: skip
        layout: Any = header.__bpf__
        for field in layout.fields:
            if not field.bits:
                member = theirs.get(field.name, field.name)
                lines.append(f'printf("%zu\\n", offsetof(struct {header.__name__}, {member}));')
                expected.append(str(field.offset))
        lines.append(f'printf("%zu\\n", sizeof(struct {header.__name__}));')
        expected.append(str(layout.size))
    assert c_program(tmp_path, lines, KERNEL_ONLY) == expected


def test_numbers_are_the_kernels(tmp_path: Path) -> None:
    flags = {"TCP_FIN": "fin", "TCP_SYN": "syn", "TCP_RST": "rst", "TCP_PSH": "psh", "TCP_ACK": "ack", "TCP_URG": "urg"}
    lines = []
    for name in numbers.__all__:
        if name in flags:
            bits = f"{{ union {{ struct tcphdr h; unsigned char b[20]; }} u = {{ .h.{flags[name]} = 1 }};"
            lines.append(f'{bits} printf("%d\\n", u.b[13]); }}')
        else:
            lines.append(f'printf("%d\\n", {name});')
    assert [int(word) for word in c_program(tmp_path, lines)] == [getattr(numbers, name) for name in numbers.__all__]


def test_bit_fields_by_name() -> None:
    ip = headers.iphdr(
        version=4, ihl=6, tos=0, tot_len=0, id=0, frag_off=0, ttl=0, protocol=0, check=0, saddr=0, daddr=0
    )
    assert codec(headers.iphdr.__bpf__, "ip").encode(ip)[0] == 0x46
    assert ip.header_len() == 24
    raw = struct.pack(">HHIIHHHH", 1, 2, 3, 4, 0x8012, 0, 0, 0)
    tcp = codec(headers.tcphdr.__bpf__, "tcp").decode(raw, 0)
    assert (tcp.syn, tcp.ack, tcp.fin, tcp.doff) == (1, 1, 0, 8)
    assert (tcp.header_len(), tcp.flags()) == (32, net.TCP_SYN | net.TCP_ACK)
    assert codec(headers.tcphdr.__bpf__, "tcp").encode(tcp) == raw
    six = codec(headers.ipv6hdr.__bpf__, "ip").decode(bytes.fromhex("6ab12345") + bytes(36), 0)
    assert (six.version, six.priority, six.flow_label()) == (6, 0xA, 0x12345)
    tag = headers.vlan_hdr(h_vlan_TCI=0xA123, h_vlan_encapsulated_proto=0)
    assert (tag.vlan_id(), tag.priority()) == (0x123, 5)
    echo = codec(headers.icmphdr.__bpf__, "icmp").decode(bytes.fromhex("0800000012345678"), 0)
    assert (echo.un.echo.id, echo.un.echo.sequence, echo.un.gateway) == (0x1234, 0x5678, 0x12345678)
    echo.un.frag.mtu = 9
    assert echo.un.gateway == 0x12340009


def test_fields_of_the_network_are_big_endian() -> None:
    for header, field in ((headers.iphdr, "saddr"), (headers.tcphdr, "dest"), (headers.ethhdr, "h_proto")):
        found = header.__bpf__.field(field)
        assert found is not None and isinstance(found.type, IntType) and found.type.big


def test_addresses() -> None:
    assert net.ipv4("10.0.0.1") == 0x0A000001
    assert net.ipv6("fe80::1") == b"\xfe\x80" + bytes(13) + b"\1"
    assert net.mac("02:00:00:00:00:0a") == b"\2\0\0\0\0\n"
    assert net.ipv4(0x0A000001) == "10.0.0.1"
    assert net.ipv6(b"\xfe\x80" + bytes(13) + b"\1") == "fe80::1"
    assert net.ipv6(bytes(10) + b"\xff\xff\x0a\0\0\1") == "::ffff:10.0.0.1"
    assert net.mac(b"\2\0\0\0\0\n") == net.mac([2, 0, 0, 0, 0, 10]) == "02:00:00:00:00:0a"
    for number in (-1, 1 << 32):
        with pytest.raises(ValueError, match="which has 32 bits"):
            net.ipv4(number)
    with pytest.raises(ValueError, match="which has 16 bytes"):
        net.ipv6(b"12")
    for wrong in ("10.0.0", "10.0.0.256", "a.b.c.d", "10.0.0.1.2", "", "1.2.3.-4"):
        with pytest.raises(ValueError, match="is not an IPv4 address"):
            net.ipv4(wrong)
    for wrong in ("02:00", "0:0:0:0:0:0", "02:00:00:00:00:0g"):
        with pytest.raises(ValueError):
            net.mac(wrong)
