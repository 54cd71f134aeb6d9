"""Local storage: a value that the kernel keeps with a socket, a task, a cgroup or an inode, and frees with it.

    talks = SkStorage[Talk]()

    @cgroup.skb.egress
    def count(pkt: CgroupSkbContext) -> bool:
        sk = pkt.sk
        if sk is not None:
            talk = talks.setdefault(sk, Talk(packets=0))     # made, if it is the first time; None without memory
            if talk is not None:
                talk.packets += 1
        return True

    obj[talks][sock].packets                                 # by the socket, or its file descriptor

It is a map whose keys are the kernel's objects: `get`, `setdefault`, `pop`, `in`, `+=`, `=` and `del` mean what they
mean for a HashMap. Looking one up takes no hashing, and there is no number of entries to give.
"""

from __future__ import annotations

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.types import U32, U64, is_aggregate, size_of
from pybpf.stdlib.mapkinds import FLAGS, KINDS
from pybpf.stdlib.maps.base import Declaration
from pybpf.stdlib.maps.keyed import Map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Generic, TypeVar, overload

    from pybpf.compiler.schema.specs import MapSpec
    from pybpf.compiler.schema.types import Type
    from pybpf.kernel import cgroup, inode, task_struct  # noqa: F401 - named in texts below
    from pybpf.stdlib.contexts.cgroups import SockContext  # noqa: F401
    from pybpf.stdlib.kernel.classes import KernelStruct  # noqa: F401
    from pybpf.stdlib.net.sockets import SocketCommon  # noqa: F401

    K = TypeVar("K")
    V = TypeVar("V")

    class _Local(Declaration, Generic[K, V]):
        """What storages share."""

        def __init__(self, *, name: str = "", pin: bool = False) -> None: ...
        def __getitem__(self, owner: K, /) -> V: ...
        def __setitem__(self, owner: K, value: V, /) -> None: ...
        def __delitem__(self, owner: K, /) -> None: ...
        def __contains__(self, owner: object, /) -> bool: ...
        @overload
        def get(self, owner: K, /) -> V | None: ...
        @overload
        def get(self, owner: K, default: V, /) -> V: ...
        def get(self, owner: K, default: V | None = None, /) -> V | None:
            """The value, None (or the default) where there is none."""

        @overload
        def pop(self, owner: K, default: None, /) -> V | None: ...
        @overload
        def pop(self, owner: K, default: V, /) -> V: ...
        def pop(self, owner: K, default: V | None, /) -> V | None:
            """The value, which is gone then."""

        def setdefault(self, owner: K, default: V, /) -> V | None:
            """The value, made from `default` if there is none; None where the kernel has no memory for it."""

    class _Cgroup(Generic[V]):
        """The type variable of the deprecated storage."""

else:
    _MOST = 0xFFFF - 128  # BPF_LOCAL_STORAGE_MAX_VALUE_SIZE: 16 bits, less what stands before the value

    class _Local(Map):
        """What storages share: no number of entries, and the helpers behind their operations."""

        _parameters = ("value",)
        _helper = ""

        def __init__(self, *, name="", pin=False):
            super().__init__(1, name=name, pin=pin)
            self.max_entries = 0
            self.flags |= FLAGS["no_prealloc"][0]

        def _resolve(self, name):
            value = self._one(name, "value", self._types[0])
            if size_of(value) > _MOST:
                raise DeclarationTypeError(
                    f"map {name}: a value of {size_of(value)} bytes, but the kernel takes at most {_MOST}",
                    help="keep a number in it, and the rest in a map of its own",
                )
            return U32, value

        def spec(self, fallback=""):
            made = super().spec(fallback)
            if not made.helpers:
                from pybpf.stdlib.helpers import spec_of

                made.helpers = {"get": spec_of(f"{self._helper}_get"), "delete": spec_of(f"{self._helper}_delete")}
            return made

    class _Cgroup(Declaration):
        pass


__all__ = ["CgroupStorage", "CgrpStorage", "InodeStorage", "PerCpuCgroupStorage", "SkStorage", "TaskStorage"]


class SkStorage(_Local["SocketCommon | SockContext | KernelStruct", "V"]):
    """`SkStorage[V]()`: BPF_MAP_TYPE_SK_STORAGE, by socket: `pkt.sk`, or the context of @cgroup.sock_create. Linux 5.2

    User space names the socket by a socket object, or its file descriptor.
    """

    kind = KINDS["SK_STORAGE"]
    _example = "SkStorage[Talk]()"
    _helper = "bpf_sk_storage"


class TaskStorage(_Local["task_struct", "V"]):
    """`TaskStorage[V]()`: BPF_MAP_TYPE_TASK_STORAGE, by task: `current_task()`. Linux 5.11.

    User space names it by the number of a process, or an object that has a pidfd as `fileno()`.
    """

    kind = KINDS["TASK_STORAGE"]
    _example = "TaskStorage[Usage]()"
    _helper = "bpf_task_storage"


class CgrpStorage(_Local["cgroup", "V"]):
    """`CgrpStorage[V]()`: BPF_MAP_TYPE_CGRP_STORAGE, by cgroup: `current_task().cgroups.dfl_cgrp`. Linux 6.2.

    User space names it by the path of its directory, or an open file descriptor of that.
    """

    kind = KINDS["CGRP_STORAGE"]
    _example = "CgrpStorage[Usage]()"
    _helper = "bpf_cgrp_storage"


class InodeStorage(_Local["inode", "V"]):
    """`InodeStorage[V]()`: BPF_MAP_TYPE_INODE_STORAGE, by inode: `file.f_inode`, in programs of LSM. Linux 5.10.

    User space names it by a path, an open file, or its descriptor.
    """

    kind = KINDS["INODE_STORAGE"]
    _example = "InodeStorage[Label]()"
    _helper = "bpf_inode_storage"


class CgroupStorage(_Cgroup["V"], Declaration):
    """`CgroupStorage[V]()`: BPF_MAP_TYPE_CGROUP_STORAGE, a value of each cgroup that the program is attached to.

    The kernel has deprecated it: CgrpStorage does more, from Linux 6.2 on. A program may use one such map.
    `obj[storage]` goes by the cgroup's number, `os.stat(path).st_ino`. Linux 4.19; as it is here, 5.9.
    """

    kind = KINDS["CGROUP_STORAGE"]
    _parameters = ("value",)
    _example = "CgroupStorage[Usage]()"

    def __init__(self, *, name: str = "", pin: bool = False) -> None:
        super().__init__(1, name=name, pin=pin)
        self.max_entries = 0

    def _resolve(self, name: str) -> tuple[Type | None, Type | None]:
        value = self._one(name, "value", self._types[0])
        if not is_aggregate(value):
            raise DeclarationTypeError(
                f"map {name}: a value of {value}; programs get a reference to it, which needs a struct",
                help="declare a Struct with a field for it",
            )
        return U64, value

    def spec(self, fallback: str = "") -> MapSpec:
        made = super().spec(fallback)
        if not made.helpers:
            from pybpf.stdlib.helpers import spec_of

            made.helpers = {"local": spec_of("bpf_get_local_storage")}
        return made

    def local(self) -> V:
        """In the program: the value of the cgroup that it runs for, zero to begin with."""
        found: V = self._live().local()
        return found


class PerCpuCgroupStorage(CgroupStorage["V"]):
    """`PerCpuCgroupStorage[V]()`: BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, with a value for each CPU. Linux 4.20."""

    kind = KINDS["PERCPU_CGROUP_STORAGE"]
    _example = "PerCpuCgroupStorage[Usage]()"
