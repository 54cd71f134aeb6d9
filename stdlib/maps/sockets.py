"""Maps of sockets: `socks = SockMap(16)`, `SockHash[Peer](max_entries=1024)`, `ReusePortSockArray(8)`.

    @sk_msg
    def forward(msg: SkMsgContext) -> SK:
        return socks.redirect(msg, 1)

    with load(forward) as obj:
        obj[socks][1] = sock                    # a connected socket, or its file descriptor
        obj.attach(forward=socks)

User space puts sockets in, and `@sockops` programs put in the one that they are called for. What is read back is a
socket's cookie, as `sock.getsockopt(SOL_SOCKET, SO_COOKIE)` gives it.
"""

from __future__ import annotations

from pybpf.compiler.schema.record import replace
from pybpf.compiler.schema.types import U32, U64
from pybpf.stdlib.helpers import (
    bpf_sk_select_reuseport,
    bpf_sock_hash_update,
    bpf_sock_map_update,
    spec_of,
)
from pybpf.stdlib.mapkinds import KINDS
from pybpf.stdlib.maps.base import Declaration, in_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Generic, TypeVar

    from pybpf.compiler.schema.specs import HelperSpec
    from pybpf.compiler.schema.types import Type
    from pybpf.stdlib.contexts.sockets import SkMsgContext, SkReuseportContext, SkSkbContext, SockOpsContext
    from pybpf.stdlib.net.sockets import Socket
    from pybpf.stdlib.sockactions import SK

    K = TypeVar("K")

    class _Keyed(Generic[K]):
        """The type variable of the keys."""

else:

    class _Keyed(Declaration):
        pass


__all__ = ["ReusePortSockArray", "SockHash", "SockMap"]


class _Variant:
    """A helper as it is for maps of sockets: `__bpf__` is made of its row when it is first asked for."""

    def __init__(self, helper: str, change: Any) -> None:
        self.__name__ = helper
        self._change = change
        self._spec: HelperSpec | None = None

    @property
    def __bpf__(self) -> HelperSpec:
        if self._spec is None:
            known = spec_of(self.__name__)
            assert known is not None
            self._spec = self._change(known)
        return self._spec

    def __call__(self, *args: Any) -> Any:
        from pybpf.stdlib.simulation import current

        return current(f"{self.__name__}()").helper(self.__bpf__, args)


def _lookup(known: HelperSpec) -> HelperSpec:
    """bpf_map_lookup_elem() of a map of sockets: gives a reference to one, which has to be released."""
    from pybpf.compiler.schema.types import PtrType, Space
    from pybpf.stdlib.net.sockets import socket_struct

    release = spec_of("bpf_sk_release")
    assert release is not None
    result = PtrType(socket_struct("bpf_sock"), Space.TRUSTED)
    return replace(known, result=result, release=release, programs=release.programs, not_maps=frozenset(), since="5.9")


def _delete(known: HelperSpec) -> HelperSpec:
    """bpf_map_delete_elem(): may_update_sockmap() of kernel/bpf/verifier.c says where."""
    types = "SOCK_OPS SOCKET_FILTER SCHED_CLS SCHED_ACT XDP SK_REUSEPORT FLOW_DISSECTOR SK_LOOKUP"
    return replace(known, programs=dict.fromkeys(types.split(), ""), not_maps=frozenset())


_lookup_socket = _Variant("bpf_map_lookup_elem", _lookup)
_delete_socket = _Variant("bpf_map_delete_elem", _delete)


class SockMap(Declaration):
    """`SockMap(n)`: BPF_MAP_TYPE_SOCKMAP, n slots for sockets. Linux 4.14."""

    kind = KINDS["SOCKMAP"]
    _parameters = ()
    _example = "SockMap(16)"
    _types = ("socket",)

    def __init__(self, max_entries: int, *, name: str = "", pin: bool = False, numa_node: int | None = None) -> None:
        super().__init__(max_entries, name=name, pin=pin, numa_node=numa_node)

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        return U32, U64

    @in_program
    def redirect(self, message: SkMsgContext | SkSkbContext, key: int, flags: int = 0) -> SK:
        """What a program of @sk_msg or @sk_skb answers to send the data on to the socket of a slot.

        `flags`: BPF_F_INGRESS (1) puts them into the socket's receive queue instead of sending them by it.
        """
        return message.redirect_map(self, key, flags)

    @in_program
    def add(self, ops: SockOpsContext, key: int, flags: int = 0) -> int:
        """In a program of @sockops: put its socket into a slot. 0, or a negative error.

        `flags`: BPF_NOEXIST (1) or BPF_EXIST (2). The socket must be established.
        """
        return bpf_sock_map_update(ops, self, key, flags)

    @in_program
    def select(self, packet: SkReuseportContext, key: int, flags: int = 0) -> int:
        """In a program of @sk_reuseport: the socket of a slot gets the packet. 0, or a negative error. Linux 5.8."""
        return bpf_sk_select_reuseport(packet, self, key, flags)

    @in_program
    def get(self, key: int) -> Socket | None:
        """The socket of a slot, a reference that the program releases; None where it is empty. Linux 5.9.

        with releasing(socks.get(0)) as sk:
            if sk is not None:
                ctx.assign(sk)
        """
        return _lookup_socket(self, key)  # type: ignore[no-any-return]

    @in_program
    def delete(self, key: int) -> int:
        """Take the socket of a slot out. 0, or -EINVAL (-22) where it is empty."""
        return _delete_socket(self, key)  # type: ignore[no-any-return]


class SockHash(_Keyed["K"], Declaration):
    """`SockHash[K](max_entries=n)`: BPF_MAP_TYPE_SOCKHASH, sockets by any key. Linux 4.18."""

    kind = KINDS["SOCKHASH"]
    _parameters = ("key",)
    _example = "SockHash[u64](max_entries=1024)"

    def __init__(self, max_entries: int, *, name: str = "", pin: bool = False, numa_node: int | None = None) -> None:
        super().__init__(max_entries, name=name, pin=pin, numa_node=numa_node)

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        return self._one(name, "key", self._types[0]), U64

    @in_program
    def redirect(self, message: SkMsgContext | SkSkbContext, key: K, flags: int = 0) -> SK:
        """What a program of @sk_msg or @sk_skb answers to send the data on to the socket of a key; as for a SockMap."""
        return message.redirect_hash(self, key, flags)

    @in_program
    def add(self, ops: SockOpsContext, key: K, flags: int = 0) -> int:
        """In a program of @sockops: put its socket under a key. 0, or a negative error; as for a SockMap."""
        return bpf_sock_hash_update(ops, self, key, flags)

    @in_program
    def select(self, packet: SkReuseportContext, key: K, flags: int = 0) -> int:
        """In a program of @sk_reuseport: let the socket of a key have the packet. 0, or a negative error. Linux 5.8."""
        return bpf_sk_select_reuseport(packet, self, key, flags)

    @in_program
    def get(self, key: K) -> Socket | None:
        """The socket of a key, a reference that the program releases; None where there is none. Linux 5.9."""
        return _lookup_socket(self, key)  # type: ignore[no-any-return]

    @in_program
    def delete(self, key: K) -> int:
        """Take the socket of a key out. 0, or -ENOENT (-2) where there is none."""
        return _delete_socket(self, key)  # type: ignore[no-any-return]


class ReusePortSockArray(Declaration):
    """`ReusePortSockArray(n)`: BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, n slots for sockets that share a port. Linux 4.19."""

    kind = KINDS["REUSEPORT_SOCKARRAY"]
    _parameters = ()
    _example = "ReusePortSockArray(8)"
    _types = ("socket",)

    def __init__(self, max_entries: int, *, name: str = "", pin: bool = False, numa_node: int | None = None) -> None:
        super().__init__(max_entries, name=name, pin=pin, numa_node=numa_node)

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        return U32, U64

    @in_program
    def select(self, packet: SkReuseportContext, key: int, flags: int = 0) -> int:
        """In a program of @sk_reuseport: let the socket of a slot have the packet. 0, or a negative error.

        -ENOENT (-2) where the slot is empty: the kernel then chooses by itself, if the program answers SK.PASS.
        """
        return bpf_sk_select_reuseport(packet, self, key, flags)
