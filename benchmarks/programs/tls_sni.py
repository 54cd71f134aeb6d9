"""Drops TLS handshakes with blocked servers, found by the name in the ClientHello."""

from pybpf import XDP, Array, HashMap, L, Struct, XdpContext, be16, u8, u64, xdp
from pybpf.net import ETH_P_IP, IPPROTO_TCP, ethhdr, iphdr, skip_options, tcphdr

MAX_EXTENSIONS = 16
MAX_NAME = 64
FNV_OFFSET = 0xCBF2_9CE4_8422_2325
FNV_PRIME = 0x100_0000_01B3
HANDSHAKE, CLIENT_HELLO = 22, 1
SERVER_NAME, HOST_NAME = 0, 0


class Hello(Struct, packed=True):
    """A record's header, a handshake's, and what a ClientHello starts with."""

    type: u8
    version: be16
    length: be16
    kind: u8
    size: Array[u8, L[3]]
    client_version: be16
    random: Array[u8, L[32]]
    session: u8


class Extension(Struct):
    type: be16
    length: be16


class ServerName(Struct, packed=True):
    list: be16
    type: u8
    length: be16


class Length(Struct):
    value: be16


class Byte(Struct):
    value: u8


blocked = HashMap[u64, u64](max_entries=1024)


@xdp
def tls_sni(pkt: XdpContext) -> XDP:
    eth, ip, tcp = pkt.parse(ethhdr), pkt.parse(iphdr), pkt.parse(tcphdr)
    if eth is None or ip is None or tcp is None or eth.h_proto != ETH_P_IP:
        return XDP.PASS
    if ip.ihl != 5 or ip.protocol != IPPROTO_TCP or tcp.dest != 443 or tcp.doff < 5:
        return XDP.PASS
    if not skip_options(pkt, tcp):
        return XDP.PASS
    hello = pkt.parse(Hello)
    if hello is None or hello.type != HANDSHAKE or hello.kind != CLIENT_HELLO:
        return XDP.PASS
    if not pkt.skip(hello.session):
        return XDP.PASS
    ciphers = pkt.parse(Length)
    if ciphers is None or not pkt.skip(ciphers.value):
        return XDP.PASS
    compressions = pkt.parse(Byte)
    if compressions is None or not pkt.skip(compressions.value + 2):
        return XDP.PASS

    for _ in range(MAX_EXTENSIONS):
        extension = pkt.parse(Extension)
        if extension is None:
            return XDP.PASS
        if extension.type == SERVER_NAME:
            break
        if not pkt.skip(extension.length):
            return XDP.PASS
    else:
        return XDP.PASS
    server = pkt.parse(ServerName)
    if server is None or server.type != HOST_NAME or server.length > MAX_NAME:
        return XDP.PASS
    name: u64 = FNV_OFFSET
    for _ in range(server.length):
        byte = pkt.parse(Byte)
        if byte is None:
            return XDP.PASS
        name = (name ^ byte.value) * FNV_PRIME
    if name not in blocked:
        return XDP.PASS
    blocked[name] += 1
    return XDP.DROP
