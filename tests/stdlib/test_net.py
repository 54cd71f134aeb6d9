"""Packet headers and numbers, against the C compiler's view of the kernel's headers."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import net
from pybpf.compiler.schema.types import IntType
from pybpf.stdlib.net import headers, numbers

if TYPE_CHECKING:
    from pathlib import Path

INCLUDES = ["stdio.h", "stddef.h", "netinet/in.h", "linux/if_ether.h", "linux/if_arp.h", "linux/ip.h", "linux/ipv6.h",
            "linux/tcp.h", "linux/udp.h", "linux/icmp.h"]  # fmt: skip

# Our fields that hold what are bit fields or unions in C: the C member at that place, or its offset.
STAND_INS = {
    ("iphdr", "version_ihl"): "0", ("ipv6hdr", "version_class_flow"): "0", ("tcphdr", "doff_flags"): "12",
    ("icmphdr", "rest"): "offsetof(struct icmphdr, un)",
}  # fmt: skip


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
        struct: Any = getattr(headers, name)
        for field in struct.__bpf__.fields:
            place = STAND_INS.get((name, field.name), f"offsetof(struct {name}, {field.name})")
            lines.append(f'printf("%zu\\n", (size_t){place});')
            expected.append(str(field.offset))
        lines.append(f'printf("%zu\\n", sizeof(struct {name}));')
        expected.append(str(struct.__bpf__.size))
    # include/linux/if_vlan.h is not for user space; its struct is two __be16.
    vlan = "struct vlan_hdr { __be16 h_vlan_TCI; __be16 h_vlan_encapsulated_proto; };"
    assert c_program(tmp_path, lines, vlan) == expected


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


def test_methods_take_bit_fields_apart() -> None:
    ip = headers.iphdr(
        version_ihl=0x46, tos=0, tot_len=0, id=0, frag_off=0, ttl=0, protocol=0, check=0, saddr=0, daddr=0
    )
    assert (ip.ip_version(), ip.header_len()) == (4, 24)
    tcp = headers.tcphdr(source=0, dest=0, seq=0, ack_seq=0, doff_flags=0x8012, window=0, check=0, urg_ptr=0)
    assert (tcp.header_len(), tcp.flags()) == (32, net.TCP_SYN | net.TCP_ACK)
    six = headers.ipv6hdr(
        version_class_flow=0x6AB12345, payload_len=0, nexthdr=0, hop_limit=0, saddr=bytes(16), daddr=bytes(16)
    )
    assert (six.ip_version(), six.flow_label()) == (6, 0x12345)
    tag = headers.vlan_hdr(h_vlan_TCI=0xA123, h_vlan_encapsulated_proto=0)
    assert (tag.vlan_id(), tag.priority()) == (0x123, 5)
    echo = headers.icmphdr(type=8, code=0, checksum=0, rest=0x12345678)
    assert (echo.echo_id(), echo.echo_sequence()) == (0x1234, 0x5678)


def test_fields_of_the_network_are_big_endian() -> None:
    for struct, field in ((headers.iphdr, "saddr"), (headers.tcphdr, "dest"), (headers.ethhdr, "h_proto")):
        found = struct.__bpf__.field(field)
        assert found is not None and isinstance(found.type, IntType) and found.type.big


def test_addresses() -> None:
    assert net.ipv4("10.0.0.1") == 0x0A000001
    assert net.ipv6("fe80::1") == b"\xfe\x80" + bytes(13) + b"\1"
    assert net.mac("02:00:00:00:00:0a") == b"\2\0\0\0\0\n"
    for wrong in ("10.0.0", "10.0.0.256", "a.b.c.d", "10.0.0.1.2", "", "1.2.3.-4"):
        with pytest.raises(ValueError, match="is not an IPv4 address"):
            net.ipv4(wrong)
    for wrong in ("02:00", "0:0:0:0:0:0", "02:00:00:00:00:0g"):
        with pytest.raises(ValueError):
            net.mac(wrong)
