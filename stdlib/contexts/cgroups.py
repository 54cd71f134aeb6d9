"""Contexts of programs that are attached to a cgroup.

Which fields there are, and which may be changed, depends on the place: a class each.

Sources: include/uapi/linux/bpf.h; net/core/filter.c (sock_addr_is_valid_access, sock_filter_is_valid_access,
cg_skb_is_valid_access) and kernel/bpf/cgroup.c (sysctl_, cg_sockopt_ and cgroup_dev_is_valid_access).
"""

from __future__ import annotations

from pybpf.compiler.schema.types import I32, U16, U32, ArrayType
from pybpf.stdlib.builtins import sizeof
from pybpf.stdlib.contexts.base import PACKET, PACKET_END, Context, Packet
from pybpf.stdlib.contexts.rows import BE16, BE32, Rows, chosen, socket
from pybpf.stdlib.contexts.skb import SkbContext, skb_spec
from pybpf.stdlib.helpers import (
    bpf_bind,
    bpf_sysctl_get_current_value,
    bpf_sysctl_get_name,
    bpf_sysctl_get_new_value,
    bpf_sysctl_set_new_value,
)
from pybpf.stdlib.net.sockets import sockaddr_in, sockaddr_in6
from pybpf.stdlib.types import Array, L, Text, be16, be32  # noqa: TC001 - the methods are read at compile time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from pybpf.stdlib.net.sockets import Socket
    from pybpf.stdlib.struct import Struct

    H = TypeVar("H", bound=Struct)

__all__ = [
    "CgroupSkbContext", "DeviceContext", "GetsockoptContext", "PostBind4Context", "PostBind6Context", "SendMsg4Context",
    "SendMsg6Context", "SetsockoptContext", "SockAddr4Context", "SockAddr6Context", "SockAddrContext",
    "SockAddrUnixContext", "SockContext", "SysctlContext",
]  # fmt: skip


class SockAddrContext(Context):
    """A call that takes or gives a socket's address: `struct bpf_sock_addr`.

    `family`, `type` and `protocol` are the socket's, `user_family` that of the address (AF_*), `sk` the socket.
    """

    if TYPE_CHECKING:
        user_family: int
        family: int
        type: int
        protocol: int
        sk: Socket


class SockAddr4Context(SockAddrContext):
    """An IPv4 address: `user_ip4` and `user_port` are what the caller gave, or will get, and can be changed.

    Both are in host byte order, as `ipv4("10.0.0.1")` and 443 are.
    """

    if TYPE_CHECKING:
        user_ip4: int
        user_port: int

    def bind(self, ip: be32, port: be16 = 0) -> int:
        """In @cgroup.connect4: the address to connect from, and the port (0: any). 0, or a negative error."""
        return bpf_bind(self, sockaddr_in(sin_family=2, sin_port=port, sin_addr=ip), sizeof(sockaddr_in))


class SendMsg4Context(SockAddr4Context):
    """`msg_src_ip4` is the address that the datagram is sent from; it can be changed."""

    if TYPE_CHECKING:
        msg_src_ip4: int


class SockAddr6Context(SockAddrContext):
    """An IPv6 address, as four words of 32 bits in host byte order, and its port. Both can be changed.

    An IPv4 address in an IPv6 socket (`::ffff:10.0.0.1`) comes here too.
    """

    if TYPE_CHECKING:
        user_ip6: Array[int, L[4]]
        user_port: int

    def bind(self, ip: Array[be32, L[4]], port: be16 = 0) -> int:
        """In @cgroup.connect6: the address to connect from, and the port (0: any). 0, or a negative error."""
        address = sockaddr_in6(sin6_family=10, sin6_port=port, sin6_flowinfo=0, sin6_addr=ip, sin6_scope_id=0)
        return bpf_bind(self, address, sizeof(address))


class SendMsg6Context(SockAddr6Context):
    """`msg_src_ip6` is the address that the datagram is sent from; it can be changed."""

    if TYPE_CHECKING:
        msg_src_ip6: Array[int, L[4]]


class SockAddrUnixContext(SockAddrContext):
    """The path of a Unix socket. The kernel function bpf_sock_addr_set_sun_path() sets another one."""


class SockContext(Context):
    """A socket that was just made, or is about to be closed: `struct bpf_sock`.

    The interface that it is bound to, its mark and priority can be changed.
    """

    if TYPE_CHECKING:
        bound_dev_if: int
        mark: int
        priority: int
        family: int
        type: int
        protocol: int
        state: int
        rx_queue_mapping: int


class PostBind4Context(Context):
    """A socket that was just bound to an IPv4 address: `struct bpf_sock`. Numbers are in host byte order."""

    if TYPE_CHECKING:
        family: int
        type: int
        protocol: int
        src_ip4: int
        src_port: int
        state: int
        rx_queue_mapping: int


class PostBind6Context(Context):
    """A socket that was just bound to an IPv6 address: `struct bpf_sock`. Numbers are in host byte order."""

    if TYPE_CHECKING:
        family: int
        type: int
        protocol: int
        src_ip6: Array[int, L[4]]
        src_port: int
        state: int
        rx_queue_mapping: int


class SysctlContext(Context):
    """An access to a file of /proc/sys: `struct bpf_sysctl`. `write` is 1 where it is written.

    `file_pos` is the position in the file, in bytes, and can be changed.
    """

    if TYPE_CHECKING:
        write: int
        file_pos: int

    def name(self) -> Text[L[64]]:
        """The name below /proc/sys, as "net/ipv4/tcp_mem"; a longer one is cut."""
        text: Text[L[64]] = ""
        bpf_sysctl_get_name(self, text, sizeof(text), 0)
        return text

    def current_value(self) -> Text[L[64]]:
        """What is there now, as it reads in /proc/sys, with the newline; a longer text is cut."""
        text: Text[L[64]] = ""
        bpf_sysctl_get_current_value(self, text, sizeof(text))
        return text

    def new_value(self) -> Text[L[64]]:
        """What is being written; a longer text is cut, and it is empty where nothing is written."""
        text: Text[L[64]] = ""
        bpf_sysctl_get_new_value(self, text, sizeof(text))
        return text

    def set_new_value(self, value: Text[Any]) -> int:
        """Write `value` in place of what the process writes. 0, or a negative error: -22 where it writes nothing."""
        size = len(value)
        if size == 0:
            return -22
        return bpf_sysctl_set_new_value(self, value, size)


class _SockoptContext(Context):
    if TYPE_CHECKING:
        sk: Socket
        optval: int
        optval_end: int
        level: int
        optname: int
        optlen: int

    def value(self, kind: type[H]) -> H | None:
        """The option's value, to be read and changed in place; None where it is shorter than the struct."""
        start = self.optval
        if start + sizeof(kind) > self.optval_end:
            return None
        return kind.at(start)


class GetsockoptContext(_SockoptContext):
    """An option of a socket that was read: `struct bpf_sockopt`. The kernel's answer is there already.

    `retval` is what the call returns, 0 or a negative error; a program may set it to 0. `optlen` may be made smaller.
    """

    if TYPE_CHECKING:
        retval: int


class SetsockoptContext(_SockoptContext):
    """An option of a socket that is about to be set: `struct bpf_sockopt`.

    `level`, `optname`, `optlen` and the value can be changed; with `optlen` -1 the kernel does nothing more.
    """


class DeviceContext(Context):
    """A device file that is opened or made: `struct bpf_cgroup_dev_ctx`.

    `type` is 1 for block and 2 for character devices; `access` has the bits mknod 1, read 2, write 4.
    """

    if TYPE_CHECKING:
        type: int
        access: int
        access_type: int
        major: int
        minor: int


class CgroupSkbContext(SkbContext, Packet):
    """A packet of a cgroup's socket. It begins with the network header, and can be read but not changed.

    Addresses and ports are those of the socket, in host byte order, if it has any.
    """

    if TYPE_CHECKING:
        family: int
        remote_ip4: int
        local_ip4: int
        remote_ip6: Array[int, L[4]]
        local_ip6: Array[int, L[4]]
        remote_port: int
        local_port: int
        tstamp: int


# --- specs

if not TYPE_CHECKING:
    _SOCK_ADDR: Rows = {
        "user_family": (U32, 0), "user_ip4": (BE32, 4), "user_ip6": (ArrayType(BE32, 4), 8, 16, "array"),
        "user_port": (BE16, 24, 4), "family": (U32, 28), "type": (U32, 32), "protocol": (U32, 36),
        "msg_src_ip4": (BE32, 40), "msg_src_ip6": (ArrayType(BE32, 4), 44, 16, "array"),
        "sk": (socket("bpf_sock", nullable=False), 64, 8, "", "5.3"),
    }  # fmt: skip
    _ANY = "user_family family type protocol sk"
    for _class, _more in (
        (SockAddrContext, ""), (SockAddrUnixContext, ""),
        (SockAddr4Context, "user_ip4 user_port"), (SendMsg4Context, "user_ip4 user_port msg_src_ip4"),
        (SockAddr6Context, "user_ip6 user_port"), (SendMsg6Context, "user_ip6 user_port msg_src_ip6"),
    ):  # fmt: skip
        _class.__bpf__ = chosen("bpf_sock_addr", _SOCK_ADDR, _class, f"{_ANY} {_more}", _more)

    _SOCK: Rows = {
        "bound_dev_if": (U32, 0), "family": (U32, 4), "type": (U32, 8), "protocol": (U32, 12), "mark": (U32, 16),
        "priority": (U32, 20), "src_ip4": (BE32, 24), "src_ip6": (ArrayType(BE32, 4), 28, 16, "array"),
        "src_port": (U32, 44), "state": (U32, 72), "rx_queue_mapping": (I32, 76, 4, "", "5.8"),
    }  # fmt: skip
    _ANY = "family type protocol state rx_queue_mapping"
    for _class, _more, _changed in (
        (SockContext, "bound_dev_if mark priority", "bound_dev_if mark priority"),
        (PostBind4Context, "src_ip4 src_port", ""), (PostBind6Context, "src_ip6 src_port", ""),
    ):  # fmt: skip
        _class.__bpf__ = chosen("bpf_sock", _SOCK, _class, f"{_ANY} {_more}", _changed)

    SysctlContext.__bpf__ = chosen(
        "bpf_sysctl", {"write": (U32, 0), "file_pos": (U32, 4)}, SysctlContext, writable="file_pos"
    )

    _SOCKOPT: Rows = {
        "sk": (socket("bpf_sock", nullable=False), 0, 8), "optval": (PACKET, 8, 8, "packet"),
        "optval_end": (PACKET_END, 16, 8, "packet_end"), "level": (I32, 24), "optname": (I32, 28), "optlen": (I32, 32),
        "retval": (I32, 36),
    }  # fmt: skip
    GetsockoptContext.__bpf__ = chosen(
        "bpf_sockopt", _SOCKOPT, GetsockoptContext, writable="optlen retval", changes=True
    )
    SetsockoptContext.__bpf__ = chosen(
        "bpf_sockopt", _SOCKOPT, SetsockoptContext, "sk optval optval_end level optname optlen", "level optname optlen",
        changes=True,
    )  # fmt: skip

    # `type` and `access` are the halves of `access_type`.
    DeviceContext.__bpf__ = chosen(
        "bpf_cgroup_dev_ctx",
        {"access_type": (U32, 0), "type": (U16, 0), "access": (U16, 2), "major": (U32, 4), "minor": (U32, 8)},
        DeviceContext,
    )

    CgroupSkbContext.__bpf__ = skb_spec(
        CgroupSkbContext, "family remote_ip4 local_ip4 remote_ip6 local_ip6 remote_port local_port tstamp",
        "mark priority cb tstamp", packet="r",
    )  # fmt: skip
