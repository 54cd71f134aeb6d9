"""Packet headers, parsers and protocol numbers, under the kernel's names. `from pybpf.net import transport, tcphdr`.

    headers.py     Ethernet to the transport layer       walk.py       a whole frame parsed in a call
    extensions.py  IPv6's extension headers, ICMPv6      tcp.py        TCP's options
    tunnels.py     GRE, VXLAN, Geneve, MPLS              checksums.py  in full, and when a field changes
    numbers.py     protocols and flags                   addresses.py  to and from text
    sockets.py     what socket helpers take and give

A module is imported when one of its names is first used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.stdlib.net.addresses import ipv4 as ipv4
    from pybpf.stdlib.net.addresses import ipv6 as ipv6
    from pybpf.stdlib.net.addresses import mac as mac
    from pybpf.stdlib.net.checksums import csum_fold as csum_fold
    from pybpf.stdlib.net.checksums import csum_replace2 as csum_replace2
    from pybpf.stdlib.net.checksums import csum_replace4 as csum_replace4
    from pybpf.stdlib.net.checksums import csum_replace16 as csum_replace16
    from pybpf.stdlib.net.checksums import decrement_ttl as decrement_ttl
    from pybpf.stdlib.net.checksums import ip_checksum as ip_checksum
    from pybpf.stdlib.net.checksums import pseudo_sum as pseudo_sum
    from pybpf.stdlib.net.checksums import pseudo_sum6 as pseudo_sum6
    from pybpf.stdlib.net.checksums import sum_packet as sum_packet
    from pybpf.stdlib.net.checksums import transport_checksum as transport_checksum
    from pybpf.stdlib.net.checksums import transport_checksum6 as transport_checksum6
    from pybpf.stdlib.net.extensions import frag_hdr as frag_hdr
    from pybpf.stdlib.net.extensions import icmp6_echo as icmp6_echo
    from pybpf.stdlib.net.extensions import icmp6_un as icmp6_un
    from pybpf.stdlib.net.extensions import icmp6hdr as icmp6hdr
    from pybpf.stdlib.net.extensions import ipv6_opt_hdr as ipv6_opt_hdr
    from pybpf.stdlib.net.extensions import parse_ipv6 as parse_ipv6
    from pybpf.stdlib.net.extensions import skip_extensions as skip_extensions
    from pybpf.stdlib.net.headers import arp_ipv4 as arp_ipv4
    from pybpf.stdlib.net.headers import arphdr as arphdr
    from pybpf.stdlib.net.headers import ethhdr as ethhdr
    from pybpf.stdlib.net.headers import icmp_echo as icmp_echo
    from pybpf.stdlib.net.headers import icmp_frag as icmp_frag
    from pybpf.stdlib.net.headers import icmp_un as icmp_un
    from pybpf.stdlib.net.headers import icmphdr as icmphdr
    from pybpf.stdlib.net.headers import iphdr as iphdr
    from pybpf.stdlib.net.headers import ipv6hdr as ipv6hdr
    from pybpf.stdlib.net.headers import sctphdr as sctphdr
    from pybpf.stdlib.net.headers import tcphdr as tcphdr
    from pybpf.stdlib.net.headers import udphdr as udphdr
    from pybpf.stdlib.net.headers import vlan_hdr as vlan_hdr
    from pybpf.stdlib.net.numbers import ETH_P_8021AD as ETH_P_8021AD
    from pybpf.stdlib.net.numbers import ETH_P_8021Q as ETH_P_8021Q
    from pybpf.stdlib.net.numbers import ETH_P_ARP as ETH_P_ARP
    from pybpf.stdlib.net.numbers import ETH_P_IP as ETH_P_IP
    from pybpf.stdlib.net.numbers import ETH_P_IPV6 as ETH_P_IPV6
    from pybpf.stdlib.net.numbers import ETH_P_MPLS_UC as ETH_P_MPLS_UC
    from pybpf.stdlib.net.numbers import ETH_P_TEB as ETH_P_TEB
    from pybpf.stdlib.net.numbers import IPPROTO_AH as IPPROTO_AH
    from pybpf.stdlib.net.numbers import IPPROTO_DSTOPTS as IPPROTO_DSTOPTS
    from pybpf.stdlib.net.numbers import IPPROTO_ESP as IPPROTO_ESP
    from pybpf.stdlib.net.numbers import IPPROTO_FRAGMENT as IPPROTO_FRAGMENT
    from pybpf.stdlib.net.numbers import IPPROTO_GRE as IPPROTO_GRE
    from pybpf.stdlib.net.numbers import IPPROTO_HOPOPTS as IPPROTO_HOPOPTS
    from pybpf.stdlib.net.numbers import IPPROTO_ICMP as IPPROTO_ICMP
    from pybpf.stdlib.net.numbers import IPPROTO_ICMPV6 as IPPROTO_ICMPV6
    from pybpf.stdlib.net.numbers import IPPROTO_IGMP as IPPROTO_IGMP
    from pybpf.stdlib.net.numbers import IPPROTO_IPIP as IPPROTO_IPIP
    from pybpf.stdlib.net.numbers import IPPROTO_IPV6 as IPPROTO_IPV6
    from pybpf.stdlib.net.numbers import IPPROTO_MH as IPPROTO_MH
    from pybpf.stdlib.net.numbers import IPPROTO_NONE as IPPROTO_NONE
    from pybpf.stdlib.net.numbers import IPPROTO_ROUTING as IPPROTO_ROUTING
    from pybpf.stdlib.net.numbers import IPPROTO_SCTP as IPPROTO_SCTP
    from pybpf.stdlib.net.numbers import IPPROTO_TCP as IPPROTO_TCP
    from pybpf.stdlib.net.numbers import IPPROTO_UDP as IPPROTO_UDP
    from pybpf.stdlib.net.numbers import TCP_ACK as TCP_ACK
    from pybpf.stdlib.net.numbers import TCP_FIN as TCP_FIN
    from pybpf.stdlib.net.numbers import TCP_PSH as TCP_PSH
    from pybpf.stdlib.net.numbers import TCP_RST as TCP_RST
    from pybpf.stdlib.net.numbers import TCP_SYN as TCP_SYN
    from pybpf.stdlib.net.numbers import TCP_URG as TCP_URG
    from pybpf.stdlib.net.sockets import Socket as Socket
    from pybpf.stdlib.net.sockets import SocketCommon as SocketCommon
    from pybpf.stdlib.net.sockets import SockTuple4 as SockTuple4
    from pybpf.stdlib.net.sockets import SockTuple6 as SockTuple6
    from pybpf.stdlib.net.sockets import TcpSocket as TcpSocket
    from pybpf.stdlib.net.tcp import TCPOPT_EOL as TCPOPT_EOL
    from pybpf.stdlib.net.tcp import TCPOPT_FASTOPEN as TCPOPT_FASTOPEN
    from pybpf.stdlib.net.tcp import TCPOPT_MD5SIG as TCPOPT_MD5SIG
    from pybpf.stdlib.net.tcp import TCPOPT_MSS as TCPOPT_MSS
    from pybpf.stdlib.net.tcp import TCPOPT_NOP as TCPOPT_NOP
    from pybpf.stdlib.net.tcp import TCPOPT_SACK as TCPOPT_SACK
    from pybpf.stdlib.net.tcp import TCPOPT_SACK_PERM as TCPOPT_SACK_PERM
    from pybpf.stdlib.net.tcp import TCPOPT_TIMESTAMP as TCPOPT_TIMESTAMP
    from pybpf.stdlib.net.tcp import TCPOPT_WINDOW as TCPOPT_WINDOW
    from pybpf.stdlib.net.tcp import each_option as each_option
    from pybpf.stdlib.net.tcp import find_option as find_option
    from pybpf.stdlib.net.tcp import skip_options as skip_options
    from pybpf.stdlib.net.tcp import tcp_mss as tcp_mss
    from pybpf.stdlib.net.tcp import tcp_option as tcp_option
    from pybpf.stdlib.net.tcp import tcp_sack_block as tcp_sack_block
    from pybpf.stdlib.net.tcp import tcp_sack_permitted as tcp_sack_permitted
    from pybpf.stdlib.net.tcp import tcp_timestamp as tcp_timestamp
    from pybpf.stdlib.net.tcp import tcp_window_scale as tcp_window_scale
    from pybpf.stdlib.net.tunnels import GENEVE_PORT as GENEVE_PORT
    from pybpf.stdlib.net.tunnels import GRE_CSUM as GRE_CSUM
    from pybpf.stdlib.net.tunnels import GRE_KEY as GRE_KEY
    from pybpf.stdlib.net.tunnels import GRE_SEQ as GRE_SEQ
    from pybpf.stdlib.net.tunnels import VXLAN_PORT as VXLAN_PORT
    from pybpf.stdlib.net.tunnels import genevehdr as genevehdr
    from pybpf.stdlib.net.tunnels import gre_base_hdr as gre_base_hdr
    from pybpf.stdlib.net.tunnels import mpls_label as mpls_label
    from pybpf.stdlib.net.tunnels import parse_geneve as parse_geneve
    from pybpf.stdlib.net.tunnels import parse_gre as parse_gre
    from pybpf.stdlib.net.tunnels import parse_mpls as parse_mpls
    from pybpf.stdlib.net.tunnels import parse_vxlan as parse_vxlan
    from pybpf.stdlib.net.tunnels import vxlanhdr as vxlanhdr
    from pybpf.stdlib.net.walk import Flow as Flow
    from pybpf.stdlib.net.walk import ip_transport as ip_transport
    from pybpf.stdlib.net.walk import network as network
    from pybpf.stdlib.net.walk import parse_arp as parse_arp
    from pybpf.stdlib.net.walk import parse_flow as parse_flow
    from pybpf.stdlib.net.walk import parse_ip_flow as parse_ip_flow
    from pybpf.stdlib.net.walk import parse_ipv4 as parse_ipv4
    from pybpf.stdlib.net.walk import transport as transport

_SURFACE = {
    "addresses": "ipv4 ipv6 mac",
    "checksums": "csum_fold csum_replace16 csum_replace2 csum_replace4 decrement_ttl ip_checksum pseudo_sum "
    "pseudo_sum6 sum_packet transport_checksum transport_checksum6",
    "headers": "arp_ipv4 arphdr ethhdr icmp_echo icmp_frag icmp_un icmphdr iphdr ipv6hdr sctphdr tcphdr udphdr "
    "vlan_hdr",
    "extensions": "frag_hdr icmp6_echo icmp6_un icmp6hdr ipv6_opt_hdr parse_ipv6 skip_extensions",
    "numbers": "ETH_P_8021AD ETH_P_8021Q ETH_P_ARP ETH_P_IP ETH_P_IPV6 ETH_P_MPLS_UC ETH_P_TEB IPPROTO_AH "
    "IPPROTO_DSTOPTS IPPROTO_ESP IPPROTO_FRAGMENT IPPROTO_GRE IPPROTO_HOPOPTS IPPROTO_ICMP IPPROTO_ICMPV6 "
    "IPPROTO_IGMP IPPROTO_IPIP IPPROTO_IPV6 IPPROTO_MH IPPROTO_NONE IPPROTO_ROUTING IPPROTO_SCTP IPPROTO_TCP "
    "IPPROTO_UDP TCP_ACK TCP_FIN TCP_PSH TCP_RST TCP_SYN TCP_URG",
    "sockets": "SockTuple4 SockTuple6 Socket SocketCommon TcpSocket",
    "tcp": "TCPOPT_EOL TCPOPT_FASTOPEN TCPOPT_MD5SIG TCPOPT_MSS TCPOPT_NOP TCPOPT_SACK TCPOPT_SACK_PERM "
    "TCPOPT_TIMESTAMP TCPOPT_WINDOW each_option find_option skip_options tcp_mss tcp_option tcp_sack_block "
    "tcp_sack_permitted tcp_timestamp tcp_window_scale",
    "tunnels": "GENEVE_PORT GRE_CSUM GRE_KEY GRE_SEQ VXLAN_PORT genevehdr gre_base_hdr mpls_label parse_geneve "
    "parse_gre parse_mpls parse_vxlan vxlanhdr",
    "walk": "Flow ip_transport network parse_arp parse_flow parse_ip_flow parse_ipv4 transport",
}
_HOME = {name: module for module, names in _SURFACE.items() for name in names.split()}

__all__ = [
    "arp_ipv4", "arphdr", "csum_fold", "csum_replace16", "csum_replace2", "csum_replace4", "decrement_ttl",
    "each_option", "ETH_P_8021AD", "ETH_P_8021Q", "ETH_P_ARP", "ETH_P_IP", "ETH_P_IPV6", "ETH_P_MPLS_UC", "ETH_P_TEB",
    "ethhdr", "find_option", "Flow", "frag_hdr", "GENEVE_PORT", "genevehdr", "gre_base_hdr", "GRE_CSUM", "GRE_KEY",
    "GRE_SEQ", "icmp6_echo", "icmp6_un", "icmp6hdr", "icmp_echo", "icmp_frag", "icmp_un", "icmphdr", "ip_checksum",
    "ip_transport", "iphdr", "IPPROTO_AH", "IPPROTO_DSTOPTS", "IPPROTO_ESP", "IPPROTO_FRAGMENT", "IPPROTO_GRE",
    "IPPROTO_HOPOPTS", "IPPROTO_ICMP", "IPPROTO_ICMPV6", "IPPROTO_IGMP", "IPPROTO_IPIP", "IPPROTO_IPV6", "IPPROTO_MH",
    "IPPROTO_NONE", "IPPROTO_ROUTING", "IPPROTO_SCTP", "IPPROTO_TCP", "IPPROTO_UDP", "ipv4", "ipv6", "ipv6_opt_hdr",
    "ipv6hdr", "mac", "mpls_label", "network", "parse_arp", "parse_flow", "parse_geneve", "parse_gre", "parse_ip_flow",
    "parse_ipv4", "parse_ipv6", "parse_mpls", "parse_vxlan", "pseudo_sum", "pseudo_sum6", "sctphdr", "skip_extensions",
    "skip_options", "Socket", "SocketCommon", "SockTuple4", "SockTuple6", "sum_packet", "TCP_ACK", "TCP_FIN", "tcp_mss",
    "tcp_option", "TCP_PSH", "TCP_RST", "tcp_sack_block", "tcp_sack_permitted", "TCP_SYN", "tcp_timestamp", "TCP_URG",
    "tcp_window_scale", "tcphdr", "TCPOPT_EOL", "TCPOPT_FASTOPEN", "TCPOPT_MD5SIG", "TCPOPT_MSS", "TCPOPT_NOP",
    "TCPOPT_SACK", "TCPOPT_SACK_PERM", "TCPOPT_TIMESTAMP", "TCPOPT_WINDOW", "transport", "transport_checksum",
    "transport_checksum6", "udphdr", "vlan_hdr", "VXLAN_PORT", "vxlanhdr", "TcpSocket",
]  # fmt: skip

if not TYPE_CHECKING:

    def __getattr__(name):
        module = _HOME.get(name)
        if module is None:
            raise AttributeError(f"module 'pybpf.net' has no attribute {name!r}")
        found = globals()[name] = getattr(__import__(f"pybpf.stdlib.net.{module}", fromlist=(name,)), name)
        return found

    def __dir__():
        return sorted({*globals(), *__all__})
