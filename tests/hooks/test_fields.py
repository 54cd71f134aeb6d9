"""Every field that a context has is one that the kernel's verifier lets be read there, and those
that may be changed can be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

import pybpf
from pybpf import (
    Array,
    ArrayMap,
    CgroupSkbContext,
    HashMap,
    L,
    RingBuffer,
    SockAddr6Context,
    SockOpsContext,
    Struct,
    be16,
    be32,
    load,
    u64,
)
from pybpf.cli.module import import_file, programs_of
from pybpf.compiler.schema.types import ArrayType, OptionalType, PtrType, StructType
from pybpf.hooks.cgroups import cgroup
from pybpf.hooks.sockets import sk_lookup, sk_msg, sk_reuseport, sk_skb, sockops

if TYPE_CHECKING:
    from pathlib import Path

    from pybpf.compiler.schema.specs import ContextSpec, CtxField

pytestmark = [pytest.mark.kernel, pytest.mark.guest]


class Peer(Struct):
    addr: Array[be32, L[4]]
    port: be16


by_address = HashMap[Array[be32, L[4]], u64](max_entries=8)
peers = HashMap[Peer, u64](max_entries=8)
last = ArrayMap[Peer](1)
events = RingBuffer[Peer](4096)


@cgroup.connect6
def whole_addresses(ctx: SockAddr6Context) -> bool:
    by_address[ctx.user_ip6] += 1
    peers[Peer(addr=ctx.user_ip6, port=ctx.user_port)] += 1
    events.emit(Peer(addr=ctx.user_ip6, port=0))
    addr = ctx.user_ip6
    if addr[0] == 1 or ctx.user_ip6 == last[0].addr or any(word == 7 for word in ctx.user_ip6):
        return False
    last[0].addr = ctx.user_ip6
    ctx.user_ip6 = last[0].addr
    return by_address.get(ctx.user_ip6) is not None


@cgroup.skb.egress
def addresses_of_packets(pkt: CgroupSkbContext) -> bool:
    by_address[pkt.remote_ip6] += 1
    sk = pkt.sk
    if sk is not None:
        by_address[sk.src_ip6] += 1
    return True


@sockops
def addresses_of_connections(ops: SockOpsContext) -> None:
    by_address[ops.remote_ip6] += sum(ops.args)


@pybpf.tc
def whole_control_buffer(skb: pybpf.TcContext) -> pybpf.TC:
    skb.cb = [skb.len, 2, 3, 4, 5]  # type: ignore[assignment]
    skb.cb = [skb.cb[4], skb.cb[1], 3, 4, skb.cb[0]]  # type: ignore[assignment]
    return pybpf.TC.OK if skb.cb == [5, 2, 3, 4, skb.len] else pybpf.TC.SHOT


def test_list_for_an_array() -> None:
    with load(whole_control_buffer) as obj:
        assert obj.programs["whole_control_buffer"].test(bytes(64)).retval == pybpf.TC.OK


def test_arrays_as_a_whole() -> None:
    """The kernel takes them word by word only, at fixed offsets, and no pointer to them."""
    with load(whole_addresses, addresses_of_packets, addresses_of_connections) as obj:
        assert len(obj.programs) == 3


HOOKS: dict[str, Any] = {
    **{f"cgroup.{name}": getattr(cgroup, name) for name in cgroup._members},  # type: ignore[attr-defined]
    "cgroup.skb.ingress": cgroup.skb.ingress, "cgroup.skb.egress": cgroup.skb.egress,
    "sockops": sockops, "sk_msg": sk_msg, "sk_skb": sk_skb, "sk_skb.stream_verdict": sk_skb.stream_verdict,
    "sk_skb.verdict": sk_skb.verdict, "sk_lookup": sk_lookup, "sk_reuseport": sk_reuseport,
    "sk_reuseport.migrate": sk_reuseport.migrate,
    "xdp": pybpf.xdp, "xdp.devmap": pybpf.xdp.devmap, "xdp.cpumap": pybpf.xdp.cpumap, "tc": pybpf.tc,
    "action": pybpf.action, "tcx.ingress": pybpf.tcx.ingress, "tcx.egress": pybpf.tcx.egress,
    "netkit.primary": pybpf.netkit.primary, "netkit.peer": pybpf.netkit.peer, "lwt.in_": pybpf.lwt.in_,
    "lwt.out": pybpf.lwt.out, "lwt.xmit": pybpf.lwt.xmit, "lwt.seg6local": pybpf.lwt.seg6local,
    "socket_filter": pybpf.socket_filter, "flow_dissector": pybpf.flow_dissector, "netfilter": pybpf.netfilter,
    "perf_event": pybpf.perf_event,
}  # fmt: skip


def release(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split("-")[0].split(".")[:2]))


def reads(field: CtxField) -> list[str]:
    kind = field.type
    name = f"ctx.{field.name}"
    if field.role.startswith("packet"):
        return []
    if isinstance(kind, ArrayType):
        return [f"total += {name}[{index}]" for index in range(kind.length)]
    pointer = kind.inner if isinstance(kind, OptionalType) else kind
    if isinstance(pointer, PtrType) and isinstance(pointer.pointee, StructType):
        inner = []
        for member in pointer.pointee.fields:
            suffix = "[3]" if isinstance(member.type, ArrayType) else ""
            inner.append(f"total += u64(sock_{field.name}.{member.name}{suffix})")
        if not isinstance(kind, OptionalType):
            return [f"sock_{field.name} = {name}", *inner]
        return [f"sock_{field.name} = {name}", f"if sock_{field.name} is not None:", *[f"    {one}" for one in inner]]
    return [f"total += u64({name})"]


def writes(field: CtxField) -> list[str]:
    if not field.writable:
        return []
    places = [f"ctx.{field.name}"]
    if isinstance(field.type, ArrayType):
        places = [f"ctx.{field.name}[{index}]" for index in range(field.type.length)]
    return [line for place in places for line in (f"{place} = 1", f"{place} = seen[0] & 3", f"{place} += 1")]


def program(name: str, decorator: str, context: ContextSpec, answer: str) -> str:
    there = [
        field for field in context.fields if not field.since or release(field.since) <= release(os.uname().release)
    ]
    body = [line for field in there for line in (*reads(field), *writes(field))]
    known = {"bool": "True", "NoneType": "", "int": "0"}
    value = known[answer] if answer in known else f"{answer}.{next(iter(getattr(pybpf, answer).__members__))}"
    kind = "None" if answer == "NoneType" else answer
    lines = [f"@{decorator}", f"def {name}(ctx: {context.owner.__name__}) -> {kind}:", "    total: u64 = 0"]
    return "\n".join([*lines, *[f"    {line}" for line in body], "    seen[1] = total", f"    return {value}", "", ""])


@pytest.mark.parametrize("name", HOOKS)
def test_fields(name: str, tmp_path: Path) -> None:
    hook = HOOKS[name]()
    hook = getattr(hook, "hook", hook)
    text = "from pybpf import *\n\nseen = ArrayMap[u64](2)\n\n\n"
    answer = getattr(hook.result, "__name__", "NoneType")
    text += program("probe", name, hook.wanted.__bpf__, answer)
    file = tmp_path / "fields.py"
    file.write_text(text)
    programs = programs_of(import_file(str(file)))
    since = hook.row[3]
    if release(os.uname().release) < release(since):
        pytest.skip(f"this kernel has no {name} (Linux {since})")
    with load(*programs) as obj:
        assert list(obj.programs) == ["probe"]
