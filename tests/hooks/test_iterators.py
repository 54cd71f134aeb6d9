"""Iterators: what user space reads of the kernel's objects, as a program writes it."""

from __future__ import annotations

import mmap
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

from pybpf import (
    SK,
    AttachError,
    BpfLinkIter,
    BpfMapElemIter,
    BpfMapIter,
    BpfProgIter,
    CgroupIter,
    CompileError,
    HashMap,
    Ipv6RouteIter,
    IterContext,
    KmemCacheIter,
    KsymIter,
    L,
    LoadError,
    NetlinkIter,
    SkMsgContext,
    SockMap,
    SockmapIter,
    Struct,
    Target,
    TaskFileIter,
    TaskIter,
    TaskVmaIter,
    TcpIter,
    Text,
    UdpIter,
    UnixIter,
    bpf_iter,
    build,
    const,
    load,
    sizeof,
    sk_msg,
    u32,
    u64,
    var,
)
from pybpf.helpers import bpf_seq_write
from tests.proofs import prove

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

me = const(u32, 0)
total = var(u64, 0)


class Thread(Struct):
    pid: u32
    tgid: u32
    name: Text[L[16]]


@bpf_iter("task")
def tasks(ctx: TaskIter) -> None:
    global total
    task = ctx.task
    if task is None:
        ctx.seq_printf(f"{total} in all\n")
        return
    total += 1
    if task.tgid == me:
        ctx.seq_printf(f"{task.pid:8} {task.comm} {ctx.meta.seq_num >= 0} 100%\n")


@bpf_iter("task")
def threads(ctx: TaskIter) -> None:
    task = ctx.task
    if task is not None and task.tgid == me:
        ctx.seq_write(Thread(pid=task.pid, tgid=task.tgid, name=task.comm))


@bpf_iter("task_file")
def files(ctx: TaskFileIter) -> None:
    file, task = ctx.file, ctx.task
    if file is not None and task is not None:
        ctx.seq_printf(f"{task.tgid} {ctx.fd} {file.f_inode.i_ino}\n")


def loaded(*programs: Any, **options: Any) -> Any:
    try:
        return load(*programs, **options)
    except LoadError as error:
        if "this kernel has no iter target" in str(error):
            pytest.skip("this kernel has no such iterator")
        raise


def test_tasks() -> None:
    with loaded(tasks, me=os.getpid()) as obj:
        prove("hook", "iter+", "loaded")
        with obj[tasks].attach() as link:
            prove("hook", "iter+", "attached")
            lines = list(link.lines())
        mine = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
        assert [int(line.split()[0]) for line in lines[:-1]] == sorted(int(t) for t in os.listdir("/proc/self/task"))
        assert lines[0].split()[1:] == [*mine.split(), "True", "100%"]
        assert int(lines[-1].split()[0]) == obj[total] >= len(lines) - 1
        prove("hook", "iter+", "fired")
        before = obj[total]
        assert list(obj[tasks].lines()) and obj[total] > before


def test_one_process() -> None:
    with loaded(tasks, me=os.getpid()) as obj:
        text = obj[tasks].read(tid=os.getpid())
        assert text.splitlines()[1:] == ["1 in all"]
        with pytest.raises(AttachError):
            obj[tasks].read(map=3)
        with pytest.raises(AttachError, match="take no 'cgroup'"):
            obj[tasks].read(cgroup="/")


def test_records() -> None:
    with loaded(threads, me=os.getpid()) as obj:
        found = list(obj[threads].records(Thread))
        assert found[0].pid == found[0].tgid == os.getpid()
        assert str(found[0].name) == Path("/proc/self/comm").read_text().strip()


def test_files() -> None:
    with loaded(files) as obj, open("/etc/hostname") as file:
        inode = os.fstat(file.fileno()).st_ino
        lines = list(obj[files].lines(pid=os.getpid()))
        assert [line.split()[2] for line in lines if line.split()[1] == str(file.fileno())] == [str(inode)]
        assert {line.split()[0] for line in lines} == {str(os.getpid())}


@bpf_iter("task_vma")
def mapped(ctx: TaskVmaIter) -> None:
    vma = ctx.vma
    if vma is not None and vma.vm_file is not None and vma.vm_pgoff == 7:
        ctx.seq_printf(f"{vma.vm_start:#x} {vma.vm_end - vma.vm_start}\n")


def test_memory() -> None:
    with loaded(mapped) as obj, tempfile.TemporaryFile() as file:
        file.truncate(1 << 16)
        with mmap.mmap(file.fileno(), 8192, prot=mmap.PROT_READ, offset=7 * 4096):
            lines = list(obj[mapped].lines(pid=os.getpid()))
        assert 8192 in [int(line.split()[1]) for line in lines]


# --- BPF's own objects


class Place(Struct):
    x: u32
    y: u32


numbers = HashMap[u32, u64](max_entries=8)
places = HashMap[u64, Place](max_entries=8)


@bpf_iter("bpf_map_elem")
def elements(ctx: BpfMapElemIter[u32, u64]) -> None:
    key, value = ctx.key, ctx.value
    if key is not None and value is not None:
        ctx.seq_printf(f"{key}={value}\n")


@bpf_iter("bpf_map_elem")
def moved(ctx: BpfMapElemIter[u64, Place]) -> None:
    key, place = ctx.key, ctx.value
    if key is None or place is None:
        return
    place.x += 100
    bpf_seq_write(ctx.seq, place, sizeof(place))


def test_elements_of_a_map() -> None:
    with loaded(elements) as obj, load(moved) as other:
        fill = {1: 7, 2: 14, 5: 1 << 40}
        with load(holding) as holder:
            for key, value in fill.items():
                holder[numbers][key] = value
            assert sorted(obj[elements].lines(map=holder[numbers])) == sorted(f"{k}={v}" for k, v in fill.items())
            holder[places][9] = Place(x=1, y=2)
            assert [(p.x, p.y) for p in other[moved].records(Place, map=holder[places])] == [(101, 2)]
            assert (holder[places][9].x, holder[places][9].y) == (101, 2)
            with pytest.raises(AttachError, match="over which map"):
                obj[elements].read()
            with pytest.raises(AttachError, match="reads more of a key or a value"):
                obj[elements].read(map=holder[small])


small = HashMap[u32, u32](max_entries=1)


@bpf_iter("task")
def holding(ctx: TaskIter) -> None:
    numbers[0] = 1
    small[0] = 1
    places[3] = Place(x=1, y=1)


@bpf_iter("bpf_map")
def all_maps(ctx: BpfMapIter) -> None:
    map = ctx.map
    if map is not None:
        ctx.seq_printf(f"{map.id} {map.name} {map.max_entries}\n")


@bpf_iter("bpf_prog")
def all_programs(ctx: BpfProgIter) -> None:
    prog = ctx.prog
    if prog is not None:
        ctx.seq_printf(f"{prog.aux.id} {prog.aux.name}\n")


@bpf_iter("bpf_link")
def all_links(ctx: BpfLinkIter) -> None:
    link = ctx.link
    if link is not None:
        ctx.seq_printf(f"{link.id} {link.prog.aux.id}\n")


def test_maps_programs_links() -> None:
    with loaded(all_maps, all_programs, all_links, holding) as obj:
        assert any(line.split()[1:] == ["numbers", "8"] for line in obj[all_maps].lines())
        own = obj.programs["all_programs"].info().id
        assert f"{own} all_programs" in list(obj[all_programs].lines())
        with obj[all_maps].attach():
            wanted = str(obj.programs["all_maps"].info().id)
            assert wanted in [line.split()[1] for line in obj[all_links].lines()]


connections = SockMap(max_entries=4)


@bpf_iter("sockmap")
def mapped_sockets(ctx: SockmapIter[u32]) -> None:
    key, sk = ctx.key, ctx.sk
    if key is not None and sk is not None:
        ctx.seq_printf(f"{key} {sk.__sk_common.skc_num}\n")


@sk_msg
def keeps_the_map(msg: SkMsgContext) -> SK:
    return connections.redirect(msg, 0)


def test_sockets_of_a_map() -> None:
    with (
        loaded(mapped_sockets) as obj,
        load(keeps_the_map) as holder,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        holder[connections][2] = client
        lines = list(obj[mapped_sockets].lines(map=holder[connections]))
        assert lines == [f"2 {client.getsockname()[1]}"]


# --- sockets and the rest


@bpf_iter("tcp")
def tcp(ctx: TcpIter) -> None:
    sk = ctx.sk_common
    if sk is not None:
        ctx.seq_printf(f"{sk.skc_num} {sk.skc_state} {ctx.uid}\n")


@bpf_iter("udp")
def udp(ctx: UdpIter) -> None:
    sk = ctx.udp_sk
    if sk is not None:
        ctx.seq_printf(f"{sk.inet.sk.__sk_common.skc_num} {ctx.uid} {ctx.bucket >= 0}\n")


@bpf_iter("unix")
def unix(ctx: UnixIter) -> None:
    sk = ctx.unix_sk
    if sk is not None:
        ctx.seq_printf(f"{sk.sk.__sk_common.skc_family}\n")


@bpf_iter("netlink")
def netlink(ctx: NetlinkIter) -> None:
    sk = ctx.sk
    if sk is not None:
        ctx.seq_printf(f"{sk.portid}\n")


def test_sockets() -> None:
    with (
        loaded(tcp, udp, unix, netlink) as obj,
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernels,
    ):
        pair = socket.socketpair()
        datagrams.bind(("127.0.0.1", 0))
        kernels.bind((0, 0))
        assert f"{listening.getsockname()[1]} 10 {os.getuid()}" in list(obj[tcp].lines())
        assert f"{datagrams.getsockname()[1]} {os.getuid()} True" in list(obj[udp].lines())
        assert "1" in set(obj[unix].lines())
        assert str(kernels.getsockname()[0]) in list(obj[netlink].lines())
        for end in pair:
            end.close()


@bpf_iter("ksym")
def symbols(ctx: KsymIter) -> None:
    global total
    symbol = ctx.ksym
    if symbol is not None:
        total += 1
        if symbol.type == 116 and total % 1000 == 0:  # 't'
            ctx.seq_printf(f"{symbol.name}\n")


@bpf_iter("ipv6_route")
def routes(ctx: Ipv6RouteIter) -> None:
    route = ctx.rt
    if route is not None:
        ctx.seq_printf(f"{route.fib6_dst.plen}\n")


@bpf_iter("kmem_cache")
def caches(ctx: KmemCacheIter) -> None:
    cache = ctx.s
    if cache is not None:
        ctx.seq_printf(f"{cache.object_size}\n")


@bpf_iter("cgroup")
def groups(ctx: CgroupIter) -> None:
    group = ctx.cgroup
    if group is not None:
        ctx.seq_printf(f"{group.kn.id}\n")


def test_symbols() -> None:
    with loaded(symbols) as obj:
        names = list(obj[symbols].lines())
        assert obj[total] > 10_000 and names
        assert set(names) <= {line.split()[2] for line in Path("/proc/kallsyms").read_text().splitlines()}


def test_routes() -> None:
    with loaded(routes) as obj:
        assert {int(line) for line in obj[routes].lines()} <= set(range(129))


def test_caches() -> None:
    with loaded(caches, target=Target(kernel=(6, 13))) as obj:
        assert "192" in set(obj[caches].lines())


def test_cgroups() -> None:
    root = next(p for p in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup") if Path(p, "cgroup.procs").exists())
    group = Path(root) / f"pybpf-iter-{os.getpid()}"
    with loaded(groups) as obj:
        group.mkdir()
        try:
            (group / "inside").mkdir()
            inodes = [str(os.stat(place).st_ino) for place in (group, group / "inside")]
            assert list(obj[groups].lines(cgroup=str(group))) == inodes
            assert list(obj[groups].lines(cgroup=str(group), order="self")) == inodes[:1]
            assert list(obj[groups].lines(cgroup=str(group), order="descendants_post")) == inodes[::-1]
            with pytest.raises(AttachError, match="which cgroup"):
                obj[groups].read()
        finally:
            (group / "inside").rmdir()
            group.rmdir()


@bpf_iter("task", sleepable=True)
def sleepy(ctx: TaskIter) -> None:
    task = ctx.task
    if task is not None and task.tgid == me:
        ctx.seq_printf(f"{task.pid}\n")


def test_sleepable() -> None:
    with loaded(sleepy, me=os.getpid()) as obj:
        prove("hook", "iter.s+", "loaded")
        with obj[sleepy].attach() as link:
            prove("hook", "iter.s+", "attached")
            assert str(os.getpid()) in list(link.lines())
            prove("hook", "iter.s+", "fired")


# --- what is refused before loading


def errors(program: Any, **options: Any) -> str:
    with pytest.raises(CompileError) as caught:
        build(program, **options)
    return str(caught.value)


def test_mistakes() -> None:
    @bpf_iter("tsk")
    def misspelt(ctx: IterContext) -> None: ...

    @bpf_iter("task")
    def of_other(ctx: BpfMapIter) -> None: ...

    @bpf_iter("task")
    def unchecked(ctx: TaskIter) -> None:
        ctx.seq_printf(f"{ctx.task.pid}\n")  # type: ignore[union-attr]

    @bpf_iter("task")
    def again(ctx: TaskIter) -> int:
        return 2

    @bpf_iter("bpf_map_elem")
    def untyped(ctx: BpfMapElemIter) -> None:  # type: ignore[type-arg]
        ctx.seq_printf("x")

    assert 'did you mean @bpf_iter("task")?' in errors(misspelt)
    assert "must take `ctx: TaskIter`, not `ctx: BpfMapIter`" in errors(of_other)
    assert "may be None" in errors(unchecked) or "None" in errors(unchecked)
    assert "must lie between 0 and 1" in errors(again)
    assert "BpfMapElemIter needs the types of the map's elements" in errors(untyped)
    assert "Linux 6.1" in errors(groups, target=Target(kernel=(5, 15)))
