"""Kernel helpers under their kernel names: `helpers.bpf_get_current_pid_tgid()`.

The table is `data/helpers.tsv` (made by tools/make_helpers.py, which says what the columns are and where they come
from); a helper's row is read when its name is first asked for. Signatures for checkers and editors are in helpers.pyi.
"""

from __future__ import annotations

import os

from pybpf.compiler.schema.specs import ArgSpec, HelperSpec
from pybpf.compiler.schema.types import (
    I8,
    I16,
    I32,
    I64,
    NONE,
    U8,
    U16,
    U32,
    U64,
    IntType,
    PtrType,
    Space,
    StructType,
    Type,
)
from pybpf.stdlib.mapcalls import kinds_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Helper", "names", "names_by_id", "spec_of"]

_NUMBERS: dict[str, Type] = {
    "void": NONE, "i8": I8, "i16": I16, "i32": I32, "i64": I64, "u8": U8, "u16": U16, "u32": U32, "u64": U64,
    "be16": IntType(16, big=True), "be32": IntType(32, big=True), "map_value": PtrType(None, Space.MAP),
    "ringbuf": PtrType(None, Space.RINGBUF), "mem": PtrType(None, Space.TRUSTED), "any": PtrType(None, Space.KERNEL),
}  # fmt: skip

# Helpers whose result is a reference that must be given back, and the one that does: is_acquire_function() in
# kernel/bpf/verifier.c; arguments of type OBJ_RELEASE.
_RELEASED_BY = {
    "bpf_sk_lookup_tcp": "bpf_sk_release", "bpf_sk_lookup_udp": "bpf_sk_release",
    "bpf_skc_lookup_tcp": "bpf_sk_release", "bpf_ringbuf_reserve": "bpf_ringbuf_discard",
    "bpf_ringbuf_reserve_dynptr": "bpf_ringbuf_discard_dynptr",
}  # fmt: skip
# Results that are less than the prototype says: RET_PTR_TO_SOCK_COMMON_OR_NULL.
_RESULTS = {"bpf_skc_lookup_tcp": "bpf_sock_common"}
_RELEASES = (
    "bpf_sk_release", "bpf_ringbuf_submit", "bpf_ringbuf_discard", "bpf_ringbuf_submit_dynptr",
    "bpf_ringbuf_discard_dynptr",
)  # fmt: skip
# What helpers do with a dynptr: HelperSpec.dynptr.
_DYNPTRS = {
    "bpf_dynptr_data": "data", "bpf_dynptr_from_mem": "local", "bpf_dynptr_write": "write",
    "bpf_ringbuf_discard_dynptr": "ringbuf+", "bpf_ringbuf_reserve_dynptr": "ringbuf",
    "bpf_ringbuf_submit_dynptr": "ringbuf+",
}  # fmt: skip

# Helpers that call a function while they hold a lock, and what they give to it: set_find_vma_callback_state() in
# kernel/bpf/verifier.c.
_BODIES = {"bpf_find_vma": ("task:task_struct", "vma:vm_area_struct")}

# Bytes of the headers that helpers read or write whole.
_SIZES = {"iphdr": 20, "ipv6hdr": 40, "tcphdr": 20}

# Where the first argument is not the context: other prototypes of the same helper, such as bpf_sk_setsockopt_proto.
_FIRST = {
    "bpf_get_socket_cookie": ("LSM SK_REUSEPORT SYSCALL TRACING", "sk:ptr:sock_common"),
    "bpf_getsockopt": ("CGROUP_SOCKOPT LSM STRUCT_OPS TRACING", "sk:ptr:sock_common"),
    "bpf_setsockopt": ("CGROUP_SOCKOPT LSM STRUCT_OPS TRACING", "sk:ptr:sock_common"),
    "bpf_xdp_get_buff_len": ("LSM SYSCALL TRACING", "xdp_md:ptr:xdp_buff"),
}  # fmt: skip

_text = ""
_structs: dict[str, StructType] = {}
_specs: dict[str, HelperSpec | None] = {}


class Helper:
    """A helper as a value: `__bpf__` is its HelperSpec. Calling it works inside a program, or a simulation of one."""

    __slots__ = ("__name__",)

    def __init__(self, name: str) -> None:
        self.__name__ = name

    @property
    def __bpf__(self) -> HelperSpec:
        spec = spec_of(self.__name__)
        assert spec is not None
        return spec

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        return self.__bpf__.doc

    def __call__(self, *args: Any) -> Any:
        from pybpf.stdlib.simulation import current

        return current(f"{self.__name__}()").helper(self.__bpf__, args)

    def __repr__(self) -> str:
        return f"<BPF helper {self.__name__}>"


def __getattr__(name: str) -> Helper:
    if not name.startswith("bpf_") or f"\n{name}\t" not in _table():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()[name] = Helper(name)
    return made


def __dir__() -> list[str]:
    return [*__all__, *names()]


def names() -> list[str]:
    """All helpers, in the order of their ids."""
    return [line.partition("\t")[0] for line in _table().splitlines() if line.startswith("bpf_")]


def names_by_id() -> dict[int, str]:
    """Helper number -> kernel name, for disassembly."""
    rows = [line.split("\t", 2) for line in _table().splitlines() if line.startswith("bpf_")]
    return {int(number): name for name, number, _ in rows}


def spec_of(name: str) -> HelperSpec | None:
    """The spec of a helper by its kernel name; None where there is no such helper."""
    if name not in _specs:
        text = _table()
        start = text.find(f"\n{name}\t") + 1
        _specs[name] = _parse(text[start : text.index("\n", start)]) if start else None
    return _specs[name]


def _table() -> str:
    global _text
    if not _text:
        with open(os.path.join(os.path.dirname(__file__), "data", "helpers.tsv"), encoding="utf-8") as file:
            _text = file.read()
    return _text


def _parse(row: str) -> HelperSpec:
    name, number, since, flags, programs, result, args, signature, doc = row.split("\t")
    maps, not_maps = kinds_for(name)
    allowed, targets = _programs(programs)
    return HelperSpec(
        name=name,
        id=int(number),
        args=tuple([_arg(arg) for arg in args.split(" ")]) if args else (),
        result=_result(name, result.rstrip("?")),
        nullable=result.endswith("?"),
        gpl="g" in flags,
        sleepable="s" in flags,
        programs=allowed,
        targets=targets,
        first=dict.fromkeys(_FIRST[name][0].split(), _arg(_FIRST[name][1])) if name in _FIRST else {},
        maps=maps,
        not_maps=not_maps,
        since=since,
        doc=doc,
        signature=signature,
        release=spec_of(_RELEASED_BY[name]) if name in _RELEASED_BY else None,
        releases=name in _RELEASES,
        dynptr=_DYNPTRS.get(name, ""),
        body=tuple([_given(given) for given in _BODIES.get(name, ())]),
    )


def _result(name: str, type: str) -> Type:
    return _object(type) if _gives_object(name) else _type(_RESULTS.get(name, type), Space.TRUSTED)


def _gives_object(name: str) -> bool:
    """Whether it returns a kernel object of known type (RET_PTR_TO_BTF_ID), whose members may be loaded."""
    return name in ("bpf_get_current_task_btf", "bpf_sock_from_file") or name.startswith("bpf_skc_to_")


def _object(struct: str, space: str = Space.TRUSTED) -> Type:
    from pybpf.stdlib.kernel.names import lookup

    found = lookup(struct)
    return _type(struct, space) if found is None else PtrType(found.__bpf__, space)


def _given(text: str) -> tuple[str, Type]:
    """`name:struct` of an object that a helper gives to a function: PTR_TO_BTF_ID, without PTR_TRUSTED."""
    name, _, struct = text.partition(":")
    return name, _object(struct, Space.ARGUMENT)


def _arg(text: str) -> ArgSpec:
    """`name:kind:type`, where the kind may end in `0`: the size may be zero, or the pointer NULL."""
    name, kind, type = text.split(":")
    return ArgSpec(name, kind.rstrip("0"), _type(type, Space.STACK), kind.endswith("0"))


def _type(text: str, space: str) -> Type:
    """A number, or a pointer to a struct that is known by name only."""
    known = _NUMBERS.get(text)
    if known is not None:
        return known
    if text.endswith("*"):
        return PtrType(_type(text[:-1], space), space)
    struct = _structs.get(text)
    if struct is None and text in ("bpf_sock", "bpf_sock_common", "bpf_tcp_sock"):
        from pybpf.stdlib.net.sockets import socket_struct

        struct = socket_struct(text)
    if struct is None:
        struct = _structs[text] = StructType(text, (), _SIZES.get(text, 0), 1)
    return PtrType(struct, space)


def _programs(group: str) -> tuple[dict[str, str], dict[str, frozenset[str]]]:
    """The programs of a `#group` line of the table, and where they may be attached; nothing for "all"."""
    programs: dict[str, str] = {}
    targets: dict[str, frozenset[str]] = {}
    if group != "-":
        text = _table()
        start = text.index(f"\n#{group}\t") + 1
        for word in text[start : text.index("\n", start)].split("\t")[1].split(" "):
            key, _, places = word.partition("=")
            key, _, since = key.partition("@")
            programs[key] = since
            if places:
                targets[key] = frozenset(places.split(","))
    return programs, targets
