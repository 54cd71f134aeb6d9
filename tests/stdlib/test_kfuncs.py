"""Functions of the kernel by name, references that are acquired, and externs: in the real kernel, and simulated."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pybpf import (
    XDP,
    ArrayMap,
    DeclarationError,
    L,
    RingBuffer,
    Simulation,
    Struct,
    Target,
    Text,
    Tristate,
    XdpContext,
    build,
    exists,
    helpers,
    i32,
    i64,
    kconfig,
    kfunc,
    kfuncs,
    ksym,
    load,
    releasing,
    sizeof,
    tp_btf,
    u8,
    u16,
    u32,
    u64,
    xdp,
)
from pybpf.kernel import task_struct  # noqa: TC001 - read at run time
from pybpf.net import SockTuple4
from pybpf.stdlib.kfuncs import names, spec_of
from tests.loaders.harness import JUDGES, check_with

if TYPE_CHECKING:
    from collections.abc import Iterator

# cilium/ebpf 0.9 knows no externs; libbpf.h defines the tristate too, so that a skeleton does not compile with both.
KNOW_EXTERNS = [judge for judge in JUDGES if not judge.startswith("cilium")]
RECENT = Target(kernel=(6, 18))
LOCAL = 0x7F000001
PID = os.getpid()
here = socket.socket()
here.bind(("127.0.0.1", 0))
here.listen()
PORT: int = here.getsockname()[1]

seen = ArrayMap[i64](max_entries=8)


class Event(Struct):
    at: u64


events = RingBuffer[Event](4096)


@pytest.fixture(scope="module", autouse=True)
def listening() -> Iterator[None]:
    yield
    here.close()


# --- what programs do


def find(pid: i32):
    """The caller releases it."""
    return kfuncs.bpf_task_from_pid(pid)


@xdp
def tasks(pkt: XdpContext) -> XDP:
    task = find(PID)
    if task is None:
        return XDP.DROP
    seen[0] = task.tgid
    at = pkt.rx_queue_index
    if at < 8:  # the exit that this has, for a slot that is not there, must release the task too
        seen[at] += 0
    again = kfuncs.bpf_task_acquire(task)
    if again:
        seen[1] += again.pid == task.pid
        kfuncs.bpf_task_release(again)
    kfuncs.bpf_task_release(task)
    for i in range(3):
        with releasing(find(PID)) as other:
            if other is None:
                continue
            if i == 2:
                break
            seen[2] += 1
            if pkt.rx_queue_index > 5:
                return XDP.DROP
    return XDP.TX


@xdp
def cgroups(pkt: XdpContext) -> XDP:
    kfuncs.bpf_rcu_read_lock()
    kfuncs.bpf_rcu_read_unlock()
    with releasing(kfuncs.bpf_cgroup_from_id(1)) as root:
        if root is None:
            return XDP.DROP
        seen[0] = root.level + 5
        with releasing(kfuncs.bpf_cgroup_ancestor(root, 0)) as first:
            seen[1] = 1 if first is not None else 2
    return XDP.TX


@xdp
def regions(pkt: XdpContext) -> XDP:
    with releasing(kfuncs.bpf_rcu_read_lock()):
        for i in range(4):
            if i == pkt.rx_queue_index + 2:
                break
            seen[i] = 1
    kfuncs.bpf_preempt_disable()
    at = pkt.rx_queue_index
    if at < 8:
        seen[at] += 4
    kfuncs.bpf_preempt_enable()
    with releasing(kfuncs.bpf_preempt_disable()), releasing(kfuncs.bpf_rcu_read_lock()):
        return XDP.TX


def connection(pkt: XdpContext, port: u16):
    where = SockTuple4(saddr=LOCAL, daddr=LOCAL, sport=1, dport=port)
    return helpers.bpf_sk_lookup_tcp(pkt, where, sizeof(where), u64(0) - 1, 0)


@xdp
def sockets(pkt: XdpContext) -> XDP:
    with releasing(connection(pkt, PORT)) as sk:
        if sk is None:
            return XDP.DROP
        seen[0] = sk.family
        seen[1] = sk.src_port == PORT
        seen[2] = sk.state
        seen[3] = sk.src_ip4
        seen[4] = sk.src_ip6[3]
        seen[5] = sk.protocol
    sk = connection(pkt, 1)
    if not sk:
        sk = connection(pkt, PORT)
        if sk is None:
            return XDP.ABORTED
    seen[6] = sk.dst_port
    helpers.bpf_sk_release(sk)
    where = SockTuple4(saddr=LOCAL, daddr=LOCAL, sport=1, dport=PORT)
    common = helpers.bpf_skc_lookup_tcp(pkt, where, sizeof(where), u64(0) - 1, 0)
    if common is not None:
        seen[7] = common.family
        helpers.bpf_sk_release(common)
    return XDP.TX


@xdp
def memory_of_a_ring_buffer(pkt: XdpContext) -> XDP:
    record = helpers.bpf_ringbuf_reserve(events, sizeof(Event), 0)
    if record is None:
        return XDP.DROP
    if pkt.rx_queue_index > 3:
        helpers.bpf_ringbuf_discard(record, 0)
        return XDP.PASS
    helpers.bpf_ringbuf_submit(record, 0)
    with releasing(helpers.bpf_ringbuf_reserve(events, sizeof(Event), 0)) as other:
        seen[0] = 1 if other is not None else 2
    return XDP.TX


@xdp
def texts(pkt: XdpContext) -> XDP:
    name: Text[L[16]] = "pybpf"
    seen[0] = kfuncs.bpf_strcmp("abc", "abd")
    seen[1] = kfuncs.bpf_strlen(name)
    seen[2] = kfuncs.bpf_strcmp(name, "pybpf")
    return XDP.TX


@tp_btf("sys_enter")
def cpumasks(regs, number) -> None:
    if helpers.bpf_get_current_pid_tgid() >> 32 != PID:
        return
    with releasing(kfuncs.bpf_cpumask_create()) as mask:
        if mask is None:
            return
        kfuncs.bpf_cpumask_set_cpu(1, mask)
        seen[0] = kfuncs.bpf_cpumask_first(mask)
        seen[1] = 1 if kfuncs.bpf_cpumask_test_cpu(1, mask) else 2
        seen[2] = 1 if kfuncs.bpf_cpumask_test_cpu(0, mask) else 2


@kfunc(flags="release")
def bpf_task_release(p: task_struct) -> None: ...


@kfunc(flags="acquire ret_null", release=bpf_task_release, since="6.2")
def bpf_task_from_pid(pid: i32) -> task_struct: ...  # type: ignore[empty-body]


@xdp
def declared(pkt: XdpContext) -> XDP:
    with releasing(bpf_task_from_pid(PID)) as task:
        return XDP.DROP if task is None else XDP.TX


@kfunc
def bpf_of_the_future(limit: u32) -> u64:
    raise NotImplementedError


@xdp
def if_there_is_one(pkt: XdpContext) -> XDP:
    if exists(bpf_of_the_future):
        seen[0] = i64(bpf_of_the_future(3))
    else:
        seen[0] = 5
    seen[1] = kfuncs.bpf_strlen("abc") if exists(kfuncs.bpf_strlen) else 3
    if exists(kfuncs.bpf_strcmp) and kfuncs.bpf_strcmp("a", "a") == 0:
        seen[2] = 7
    return XDP.TX


ANSWERS = {
    tasks: [PID, 1, 2],
    cgroups: [5, 1],
    sockets: [socket.AF_INET, 1, 10, LOCAL, 0, socket.IPPROTO_TCP, 0, socket.AF_INET],
    memory_of_a_ring_buffer: [1],
    texts: [-1, 5, 0],
    declared: [],
    regions: [5, 1, 0, 0],
    if_there_is_one: [5, 3, 7],
}


@pytest.mark.kernel
@pytest.mark.parametrize("program", ANSWERS, ids=lambda program: program.name)
def test_in_the_kernel(program) -> None:
    with load(program) as obj:
        assert obj.programs[program.name].test(bytes(64)).retval == XDP.TX
        if ANSWERS[program]:
            assert [obj[seen][n] for n in range(len(ANSWERS[program]))] == ANSWERS[program]


def test_what_is_asked_for_needs_no_target_that_has_it() -> None:
    assert build(if_there_is_one, target=Target(kernel=(6, 4))).elf


@pytest.mark.kernel
@pytest.mark.skipif(os.cpu_count() == 1, reason="needs two CPUs")
def test_cpumasks() -> None:
    with load(cpumasks).attach() as obj:
        os.getppid()
        assert [obj[seen][n] for n in range(3)] == [1, 1, 2]


@pytest.mark.parametrize("judge", KNOW_EXTERNS)
@pytest.mark.kernel
def test_loaders_take_kfuncs(judge, tmp_path) -> None:
    check_with(judge, build(tasks, texts, target=RECENT).elf, tmp_path)


# --- the table, and declarations


def test_what_is_known_of_a_function() -> None:
    spec = spec_of("bpf_task_from_pid")
    assert spec is not None and spec.release is not None
    assert (spec.nullable, spec.release.name, spec.since) == (True, "bpf_task_release", "6.2")
    assert "XDP" in spec.programs
    assert "bpf_cpumask_create" in names()
    assert spec_of("no_such_function") is None


def test_each_acquiring_function_has_one_that_releases() -> None:
    """Except for those that give memory of types that a program has no value for."""
    lacking = []
    for name in names():
        spec = spec_of(name)
        if spec is not None and "acquire" in spec.flags and spec.release is None:
            lacking.append(name)
    assert lacking == [
        name
        for name in lacking
        if name.startswith(("bpf_list_", "bpf_obj_", "bpf_percpu_", "bpf_rbtree_", "bpf_refcount"))
    ]


def test_an_unknown_name_is_told_with_what_was_meant() -> None:
    with pytest.raises(AttributeError) as caught:
        kfuncs.bpf_tsk_from_pid  # noqa: B018
    assert isinstance(caught.value, DeclarationError)
    assert caught.value.help == "did you mean `bpf_task_from_pid`?"


def test_outside_of_a_program() -> None:
    with pytest.raises(RuntimeError, match="inside a BPF program only"):
        kfuncs.bpf_rcu_read_lock()


# --- simulated


def test_simulation_releases_on_every_way() -> None:
    with Simulation(target=RECENT) as sim:
        given: list[int] = []
        released: list[int] = []

        def from_pid(pid: int) -> int | None:
            if len(given) == 3:
                return None
            given.append(sim.kernel.put(bytes(16384)))
            return given[-1]

        sim.helper(kfuncs.bpf_task_from_pid, from_pid)
        sim.helper("bpf_task_acquire", lambda task: None)
        sim.helper("bpf_task_release", released.append)
        assert tasks.simulate(packet=bytes(64)).retval == XDP.TX
        assert sim[seen][2] == 2
        assert given == released


def test_simulated_regions() -> None:
    with Simulation(target=RECENT) as sim:
        assert regions.simulate(packet=bytes(64)).retval == XDP.TX
        assert [sim[seen][n] for n in range(4)] == [5, 1, 0, 0]


def test_simulated_texts() -> None:
    with Simulation(target=RECENT) as sim:
        assert texts.simulate(packet=bytes(64)).retval == XDP.TX
        assert [sim[seen][n] for n in range(3)] == [-1, 5, 0]


# --- externs

hz = kconfig(u32, "CONFIG_HZ")
version = kconfig(u32, "LINUX_KERNEL_VERSION")
smp = kconfig(bool, "CONFIG_SMP", weak=True)
net = kconfig(Tristate, "CONFIG_NET")
log_shift = kconfig(u8, "CONFIG_LOG_BUF_SHIFT", weak=True)
missing = kconfig(u64, "CONFIG_THAT_NOBODY_HAS", weak=True)
hostname = kconfig(Text[L[16]], "CONFIG_DEFAULT_HOSTNAME")
reader = ksym("vfs_read")
nothing = ksym("no_such_symbol_anywhere", weak=True)


@xdp
def configuration(pkt: XdpContext) -> XDP:
    seen[0] = hz
    seen[1] = version >> 8
    seen[2] = 1 if smp else 2
    seen[3] = 1 if net == Tristate.YES else 2
    seen[4] = i64(missing)
    seen[5] = 1 if hostname == "(none)" else 2
    seen[6] = i64(reader >> 1)
    seen[7] = i64(nothing) + log_shift
    return XDP.TX


def _configured(name: str) -> str:
    import gzip

    if not Path("/proc/config.gz").exists():
        pytest.skip("the kernel does not show its configuration")
    lines = gzip.decompress(Path("/proc/config.gz").read_bytes()).decode().splitlines()
    return next((line.partition("=")[2] for line in lines if line.startswith(f"{name}=")), "")


@pytest.mark.kernel
def test_externs_in_the_kernel() -> None:
    major, minor = os.uname().release.split(".")[:2]
    symbols = Path("/proc/kallsyms").read_text().splitlines()
    address = next(int(line.split()[0], 16) for line in symbols if line.split()[2] == "vfs_read")
    with load(configuration) as obj:
        assert obj.programs["configuration"].test(bytes(64)).retval == XDP.TX
        assert [obj[seen][n] for n in range(8)] == [
            int(_configured("CONFIG_HZ")),
            int(major) << 8 | int(minor),
            1 if _configured("CONFIG_SMP") else 2,
            1 if _configured("CONFIG_NET") == "y" else 2,
            0,
            1 if _configured("CONFIG_DEFAULT_HOSTNAME") == '"(none)"' else 2,
            address >> 1,
            int(_configured("CONFIG_LOG_BUF_SHIFT") or 0),
        ]


def test_externs_simulated() -> None:
    with Simulation(CONFIG_HZ=100, CONFIG_SMP=True) as sim:
        sim[net] = Tristate.YES
        sim[hostname] = "(none)"
        sim[reader] = 0x1000
        configuration.simulate(packet=bytes(64))
        assert [sim[seen][n] for n in range(8)] == [100, 0, 1, 1, 0, 1, 0x800, 0]


def test_an_extern_is_never_folded() -> None:
    text = build(configuration).disassemble()
    assert "CONFIG_HZ" in text and "vfs_read" in text


@pytest.mark.parametrize("judge", [judge for judge in KNOW_EXTERNS if judge != "compile_skeleton"])
@pytest.mark.kernel
def test_loaders_take_externs(judge, tmp_path) -> None:
    check_with(judge, build(configuration).elf, tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kconfig(u32, "HZ"), "no name of a configuration value"),
        (lambda: kconfig(Event, "CONFIG_HZ"), "cannot be of type Event"),
        (lambda: kconfig(int, "CONFIG_HZ"), "has no width"),
        (lambda: ksym("a b"), "a b"),
        (lambda: ksym(Event, "bpf_prog_active"), "cannot be of type Event"),
        (lambda: ksym(u32), "takes a name"),
    ],
)
def test_wrong_declarations(make, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        make()
