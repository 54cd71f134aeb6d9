"""Attaching: real events reach the program, and stop reaching it after detaching."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pybpf.runtime import (
    AttachError,
    LoadError,
    NotPermitted,
    ObjectClosed,
    PybpfError,
    binaries,
    load_object,
    open_elf,
    tracefs,
)
from pybpf.runtime.errors import missing_capabilities

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.runtime import LoadedObject

pytestmark = pytest.mark.kernel
libc = ctypes.CDLL(None)
libc.labs.argtypes = [ctypes.c_long]
libc.labs.restype = ctypes.c_long


def test_tracepoint_on_and_off(obj: LoadedObject) -> None:
    link = obj.programs["enter"].attach()
    assert (link.kind, link.target, link.attached) == ("tracepoint", "syscalls:sys_enter_getppid", True)
    assert link.fd in [int(fd) for fd in os.listdir("/proc/self/fd")]
    os.getppid()
    link.detach()
    link.detach()
    os.getppid()
    assert obj["total"] == 1 and not link.attached and link.fd == -1 and not obj.links


def test_tracepoint_sees_all_cpus(obj: LoadedObject) -> None:
    with obj.programs["enter"].attach():
        allowed = os.sched_getaffinity(0)
        try:
            for cpu in sorted(allowed):
                os.sched_setaffinity(0, {cpu})
                os.getppid()
        finally:
            os.sched_setaffinity(0, allowed)
    assert obj["total"] == len(allowed)


def test_unknown_tracepoint(obj: LoadedObject) -> None:
    with pytest.raises(AttachError, match=r"no tracepoint syscalls:sys_enter_getpid2\n.*syscalls:sys_enter_getpid"):
        obj.programs["enter"].attach("syscalls:sys_enter_getpid2")
    with pytest.raises(AttachError, match=r"no category 'syscall'; did you mean .*syscalls"):
        obj.programs["enter"].attach("syscall:sys_enter_getppid")
    with pytest.raises(AttachError, match="which tracepoint"):
        obj.programs["enter"].attach("getppid")
    with pytest.raises(AttachError, match="unknown option 'interface'\nhelp: it takes target"):
        obj.programs["enter"].attach(interface="lo")


def test_tracefs_without_a_mount() -> None:
    number = tracefs.event_id("syscalls", "sys_enter_openat")
    assert number > 0
    text = tracefs.event_format("syscalls", "sys_enter_openat")
    assert f"ID: {number}" in text and "filename" in text


def test_raw_tracepoint(obj: LoadedObject) -> None:
    with obj.programs["raw"].attach() as link:
        assert link.kind == "raw_tp"
        os.getppid()
    os.getppid()
    assert obj["hash"][1] == 1
    with pytest.raises(AttachError, match="no such tracepoint"):
        obj.programs["raw"].attach("no_such_event")


def test_uprobes(obj: LoadedObject) -> None:
    table = obj["hash"]
    with obj.programs["on_labs"].attach() as entry, obj.programs["on_labs_return"].attach() as leave:
        assert (entry.kind, leave.kind) == ("uprobe", "uretprobe")
        assert entry.target.endswith(":labs") and "/libc" in entry.target
        assert libc.labs(-1234567) == 1234567
        assert table[2] == (1 << 64) - 1234567 and table[3] == 1234567
    libc.labs(5)
    assert table[3] == 1234567


def test_uprobe_of_one_process(obj: LoadedObject) -> None:
    table = obj["hash"]
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        with obj.programs["on_labs"].attach(pid=other.pid):
            libc.labs(1)
            assert 2 not in table
        with obj.programs["on_labs"].attach(os.getpid()):
            libc.labs(1)
            assert table[2] == 1
        other.communicate(b"\n")
    with pytest.raises(AttachError, match=f"no process {other.pid}"):
        obj.programs["on_labs"].attach(pid=other.pid)


def test_uprobe_targets(obj: LoadedObject) -> None:
    program = obj.programs["on_labs"]
    path = binaries.find_binary("c")
    for options in (
        {"file": path},
        {"file": "libc"},
        {"file": "libc.so.6"},
        {"file": path, "function": "", "offset": binaries.symbol_offset(path, "labs")},
    ):
        obj["hash"].clear()
        with program.attach(**options):
            libc.labs(77)
        assert obj["hash"][2] == 77, options
    with pytest.raises(AttachError, match=r"no function 'lab'\nhelp: did you mean .*labs"):
        program.attach(function="lab")
    with pytest.raises(AttachError, match="no library or program 'nonesuch'"):
        program.attach(file="nonesuch")
    with pytest.raises(AttachError, match="no file '/nonesuch'"):
        program.attach(file="/nonesuch")
    with pytest.raises(AttachError, match="is not an ELF file"):
        program.attach(file=__file__)


def test_finding_binaries() -> None:
    assert binaries.find_binary("libc") == binaries.find_binary("c") == binaries.find_binary("libc.so.6")
    assert os.path.basename(binaries.find_binary("sh")) in ("dash", "bash", "sh", "busybox")
    assert "/libresolv" in binaries.find_binary("resolv")  # not mapped: by the linker's cache
    with pytest.raises(AttachError, match="IFUNC"):
        binaries.symbol_offset(binaries.find_binary("c"), "strlen")


def test_xdp_in_a_namespace(obj: LoadedObject, network: Any) -> None:
    program, count = obj.programs["ingress"], obj["array"]
    for mode in (None, "generic", "native"):
        count.clear()
        with program.attach("right", netns=network.name, mode=mode) as link:
            assert "prog/xdp" in network.ip("link", "show", "right")
            with pytest.raises(AttachError, match="XDP program"):
                program.attach("right", netns=network.path)
            network.send(5)
            assert link.target == "right"
        assert count[0] >= 5, mode
        assert "prog/xdp" not in network.ip("link", "show", "right")
    with obj.attach(ingress={"target": "right", "netns": network.name}, enter=None, raw=None):
        assert len(obj.links) == 3


def test_entering_a_namespace_leaves_this_thread_where_it_is(obj: LoadedObject, network: Any) -> None:
    before = os.readlink("/proc/thread-self/ns/net")
    with obj.programs["ingress"].attach("right", netns=network.path):
        assert os.readlink("/proc/thread-self/ns/net") == before
    assert threading.active_count() == 1


def test_xdp_errors(obj: LoadedObject, network: Any) -> None:
    program = obj.programs["ingress"]
    with pytest.raises(AttachError, match=r'to which interface.\nhelp: name it: obj.attach.ingress="eth0"'):
        program.attach()
    with pytest.raises(AttachError, match=r"no interface nonesuch\nhelp: there are: lo"):
        program.attach("nonesuch")
    with pytest.raises(AttachError, match=r"no interface nonesuch of network namespace .*\nhelp: .*left"):
        program.attach("nonesuch", netns=network.name)
    with pytest.raises(AttachError, match="network namespace 'nonesuch'"):
        program.attach("left", netns="nonesuch")
    with pytest.raises(AttachError, match="no XDP mode 'fast'"):
        program.attach("left", mode="fast")
    with pytest.raises(AttachError):
        program.attach("lo", mode="native")


def others(build_c: Callable[[str], bytes], name: str) -> LoadedObject:
    """One program of others.bpf.c."""
    only_pid = os.getpid().to_bytes(4, "little")
    return open_elf(build_c("others"), "others", only=[name], globals={"only_pid": only_pid})


def test_what_libbpf_attaches(build_c: Callable[[str], bytes]) -> None:
    """BTF tracepoints, which libbpf finds by their section."""
    with others(build_c, "btf_event") as obj:
        assert list(obj.programs) == ["btf_event"]
        with obj.attach():
            (link,) = obj.links
            assert (link.kind, link.target) == ("tp_btf", "sys_enter") and link.fd > 0
            os.getppid()
        os.getppid()
        assert int.from_bytes(obj["seen"], "little") == 1 and not link.attached
        with pytest.raises(AttachError, match="it was loaded for 'sys_enter', and can't be attached elsewhere"):
            obj.programs["btf_event"].attach("sys_exit")
        obj.attach()
    assert not link.attached


def test_what_nothing_attaches(build_c: Callable[[str], bytes]) -> None:
    refused = pytest.raises(AttachError, match="attaching 'unattachable': to which cgroup")
    with others(build_c, "unattachable") as obj, refused:
        obj.attach()
    with pytest.raises(LoadError, match="no program 'cuont'\nhelp: did you mean 'count'"):
        others(build_c, "cuont")


def test_tcx_in_a_namespace(build_c: Callable[[str], bytes], network: Any) -> None:
    with others(build_c, "count") as obj:
        try:
            link = obj.programs["count"].attach("right", netns=network.name)
        except AttachError as error:
            assert "TCX needs Linux 6.6" in str(error)
            pytest.skip("this kernel has no TCX")
        with link:
            network.send(3)
            assert int.from_bytes(obj["packets"], "little") >= 3 and link.kind == "tcx/ingress"
        count = obj["packets"]
        network.send(1)
        assert obj["packets"] == count


def test_attaching_all_or_nothing(obj: LoadedObject) -> None:
    with pytest.raises(AttachError, match="'ingress': to which interface"):
        obj.attach()
    assert not obj.links
    with pytest.raises(PybpfError, match=r"no program 'ingres' to attach.*\nhelp: did you mean 'ingress'"):
        obj.attach(ingres="lo")
    with pytest.raises(AttachError, match="no process 999999999"):
        obj.attach(ingress=None, pid=999_999_999)
    assert not obj.links
    obj.attach(ingress=None, on_labs={"offset": 0}, pid=os.getpid())
    assert [link.program.name for link in obj.links] == ["enter", "raw", "on_labs", "on_labs_return"]
    obj.detach()
    assert not obj.links


def test_detaching_after_close(kit: Any) -> None:
    with load_object(kit).attach(ingress=None) as obj:
        links = obj.links
        program = obj.programs["enter"]
    for link in links:
        assert not link.attached
        link.detach()
    for use in (program.attach, program.test, program.info, lambda: program.fd):
        with pytest.raises(ObjectClosed):
            use()


def test_what_this_kernel_forbids(build_c: Callable[[str], bytes]) -> None:
    try:
        open_elf(build_c("forbidden")).close()
    except NotPermitted as error:
        assert "loading program 'probe' (type TRACING): not permitted (EPERM)" in str(error)
        assert "refuses fentry programs" in str(error) and "ulimit" in str(error)
        assert "locked" not in str(error)
        assert isinstance(error, PermissionError)
        return
    pytest.skip("this kernel allows fentry")


def test_without_privileges(build_c: Callable[[str], bytes], tmp_path: Any) -> None:
    """As another user: the error names the capabilities."""
    (tmp_path / "kit.o").write_bytes(build_c("kit"))
    os.chmod(tmp_path, 0o755)
    code = """if True:
        import os, sys
        elf = open(sys.argv[1], "rb").read()
        from pybpf.runtime import NotPermitted, open_elf, object, loading, verifier, errors
        from pybpf.runtime.libbpf import library
        library()
        errors.missing_capabilities()
        os.setgid(65534); os.setuid(65534)
        try:
            open_elf(elf)
        except NotPermitted as error:
            print(error)
    """
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "kit.o")], capture_output=True, text=True, check=True, cwd="."
    )
    assert "not permitted (EPERM)" in run.stdout
    assert "run as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN" in run.stdout and not run.stderr
    assert missing_capabilities() == []
