"""Links: update, pin, info; links and programs that are opened by path and id; counting runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import (
    XDP,
    BpfMapElemIter,
    CgroupIter,
    HashMap,
    PybpfError,
    TaskIter,
    TracepointContext,
    XdpContext,
    bpf_iter,
    const,
    load,
    open_link,
    open_program,
    pid,
    raw_tp,
    stats,
    tp_btf,
    tracepoint,
    u32,
    u64,
    uprobe,
    xdp,
)
from pybpf.runtime.errors import ObjectClosed
from pybpf.runtime.links.cgroups import cgroup_mounts
from pybpf.runtime.links.info import (
    InterfaceLinkInfo,
    IterLinkInfo,
    LinkInfo,
    PerfEventLinkInfo,
    RawTracepointLinkInfo,
    UprobeMultiLinkInfo,
)
from pybpf.runtime.links.opened import ids
from tests.maps.bpffs import in_bpffs

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel

hits = HashMap[u32, u64](max_entries=8)
me = const(u32, 0)


@xdp
def first(pkt: XdpContext) -> XDP:
    hits[1] += 1
    return XDP.PASS


@xdp
def second(pkt: XdpContext) -> XDP:
    hits[2] += 1
    return XDP.PASS


@tracepoint("syscalls:sys_enter_getppid")
def entered(ctx: TracepointContext) -> None:
    if pid() == me:
        hits[3] += 1


@raw_tp("sys_enter")
def raw(regs: int, number: int) -> None:
    if pid() == me and number == 110:
        hits[4] += 1


@tp_btf("sys_enter")
def typed(regs: int, number: int) -> None:
    if pid() == me and number == 110:
        hits[5] += 1


def test_what_the_kernel_says_of_links(network: Any) -> None:
    with load(first, entered, raw, typed, me=os.getpid()) as obj:
        obj.attach(first={"target": "right", "netns": network.name})
        found: dict[str, LinkInfo] = {link.program.name: link.info() for link in obj.links}
        for name, info in found.items():
            assert info.program_id == obj.programs[name].info().id and info.id in set(ids("link"))
        event = found["entered"]
        assert isinstance(event, PerfEventLinkInfo)
        # the name is told since Linux 6.6
        assert (event.event, event.name) in (("tracepoint", "sys_enter_getppid"), ("", ""))
        for program in ("raw", "typed"):
            named = found[program]
            assert isinstance(named, RawTracepointLinkInfo) and named.name == "sys_enter"
        device = found["first"]
        assert isinstance(device, InterfaceLinkInfo) and device.type == "xdp"
        shown = network.ip("-o", "link", "show", "right")
        assert device.ifindex == int(shown.split(":")[0])
        (link,) = [link for link in obj.links if link.program.name == "raw"]
    with pytest.raises(ObjectClosed, match="link 'raw' -> raw_tp sys_enter is closed"):
        link.info()


@bpf_iter("bpf_map_elem")
def elements(ctx: BpfMapElemIter[u32, u64]) -> None:
    ctx.seq_printf("element\n")


@bpf_iter("task")
def threads(ctx: TaskIter) -> None:
    ctx.seq_printf("thread\n")


@bpf_iter("cgroup")
def groups(ctx: CgroupIter) -> None:
    ctx.seq_printf("cgroup\n")


@pytest.mark.guest
def test_what_the_kernel_says_of_iterators() -> None:
    (top, *_) = cgroup_mounts()
    with load(elements, threads, groups, raw, me=1) as obj:
        told: Any = obj[elements].attach(map=obj[hits]).info()
        assert isinstance(told, IterLinkInfo) and (told.target, told.map) == ("bpf_map_elem", obj[hits].id)
        told = obj[threads].attach(pid=os.getpid()).info()
        assert (told.target, told.pid, told.tid) == ("task", os.getpid(), 0)
        told = obj[threads].attach(tid=os.getpid()).info()
        assert (told.pid, told.tid, told.map) == (0, os.getpid(), 0)
        told = obj[groups].attach(cgroup=top, order="self").info()
        assert (told.target, told.cgroup, told.order) == ("cgroup", os.stat(top).st_ino, 1)


def test_what_the_kernel_says_of_many_uprobes() -> None:
    @uprobe.multi("libc", "*labs")
    def many() -> None:
        hits[7] += 1

    with load(many) as obj:
        told = obj[many].attach(pid=os.getpid(), cookies={"labs": 5, "llabs": 6}).info()
        assert isinstance(told, UprobeMultiLinkInfo) and told.pid == os.getpid() and "libc" in told.path
        assert sorted(told.cookies) == [5, 6] and told.count == 2 == len(set(told.offsets))


def test_another_program_in_its_place(network: Any) -> None:
    with load(first, second) as obj:
        link = obj.programs["first"].attach("right", netns=network.name)
        network.send(3)
        before = obj[hits][1]
        assert before >= 3 and 2 not in obj[hits]
        link.update(obj.programs["second"])
        assert link.program.name == "second" and link.info().program_id == obj.programs["second"].info().id
        network.send(3)
        assert obj[hits][2] >= 3 and obj.links == (link,)
        with load(entered, me=1) as other:
            with pytest.raises(PybpfError, match=r"updating link .second. -> xdp right to .entered.: E"):
                link.update(other.programs["entered"])
            perf = other.programs["entered"].attach()
            with pytest.raises(PybpfError, match="can't update links of this type"):
                perf.update(other.programs["entered"])
        assert link.attached
    assert "prog/xdp" not in network.ip("link", "show", "right")


def test_a_pinned_link_outlives_its_object(network: Any, tmp_path: Path) -> None:
    def shown() -> bool:
        return "prog/xdp" in network.ip("link", "show", "right")

    def test() -> None:
        path = tmp_path / "links" / "firewall"
        with load(first) as obj, obj.programs["first"].attach("right", netns=network.name) as link:
            link.pin(path)
            assert link.pinned == str(path)
            with pytest.raises(PybpfError, match="is there already"):
                link.pin(path)
        assert shown() and not link.attached
        with open_link(path) as again, load(second) as obj:
            info = again.info()
            with open_link(info.id) as same:
                assert same.info() == info
            again.update(obj.programs["second"])
            network.send(2)
            assert obj[hits][2] >= 2
            assert again.info().program_id == obj.programs["second"].info().id
            again.detach()
            assert not shown()
            again.unpin()
        assert not path.exists()
        with pytest.raises(ObjectClosed):
            again.info()
        with pytest.raises(KeyError, match="no pinned link at"):
            open_link(path)
        with load(first) as obj:
            link = obj.programs["first"].attach("right", netns=network.name)
            link.pin(path)
            link.unpin()
            assert not path.exists() and shown()
            link.pin(path)
            link.detach()
            assert not path.exists() and not shown()
            link.detach()

    in_bpffs(tmp_path, test)


def test_others_programs(network: Any, tmp_path: Path) -> None:
    def test() -> None:
        path = tmp_path / "first"
        with load(first, entered) as obj:
            obj.programs["first"].pin(path)
            obj.programs["entered"].pin(tmp_path / "entered")
            number = obj.programs["entered"].info().id
            with pytest.raises(PybpfError, match="the name of another program"):
                obj.programs["first"].unpin(tmp_path / "entered")
        with open_program(path) as program:
            info = program.info()
            assert (program.name, program.type, info.type, info.gpl) == ("first", "XDP", "XDP", True)
            assert info.id in set(ids("program")) and info.maps and set(info.maps) <= set(ids("map"))
            assert program.test(bytes(64)).retval == XDP.PASS
            with program.attach("right", netns=network.name):
                assert "prog/xdp" in network.ip("link", "show", "right")
            program.attach("right", netns=network.name)
            program.unpin()
        assert "prog/xdp" not in network.ip("link", "show", "right") and not path.exists()
        with pytest.raises(ObjectClosed):
            program.info()
        with open_program(number) as program:
            with pytest.raises(PybpfError, match=r"'entered' \(type TRACEPOINT\): attach it to what"):
                program.attach()
            with program.attach(section="tracepoint/syscalls/sys_enter_getppid") as link:
                assert link.info().program_id == number
        with pytest.raises(PybpfError, match="is no pinned link\nhelp: it is a program"):
            open_link(tmp_path / "entered")
        with pytest.raises(KeyError, match="no program with id 4294967295"):
            open_program(0xFFFF_FFFF)

    in_bpffs(tmp_path, test)


def test_counting_runs() -> None:
    with load(entered, me=os.getpid()) as obj, obj.attach():
        before = obj.programs["entered"].info()
        os.getppid()
        assert obj.programs["entered"].info().runs == before.runs
        with stats():
            for _ in range(50):
                os.getppid()
            after = obj.programs["entered"].info()
        assert after.runs - before.runs >= 50 and after.run_ns > before.run_ns and 0 < after.mean_ns < 1e6
        assert after.misses == 0 and after.verified_insns > 5
