"""fentry, fexit, fmod_ret and freplace: the kernel's functions, and those of BPF programs."""

from __future__ import annotations

import os
import struct
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import (
    XDP,
    Array,
    CompileError,
    DeclarationError,
    L,
    LoadError,
    NotPermitted,
    RawTracepointContext,
    Target,
    XdpContext,
    build,
    check,
    const,
    fentry,
    fexit,
    fmod_ret,
    freplace,
    fsession,
    helpers,
    i32,
    i64,
    load,
    pid,
    subprog,
    tp_btf,
    u32,
    u64,
    var,
    xdp,
)
from pybpf.helpers import bpf_get_attach_cookie
from pybpf.kernel import file, task_struct, xdp_buff  # noqa: TC001 - read at run time
from pybpf.runtime import syscall
from tests.proofs import prove

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

me = const(u32, 0)
secret = const(u64, 0)
calls = var(u64, 0)
seen = var(u64, 0)
returned = var(i64, 0)


@fentry("vfs_fsync_range")
def enter(end: i64, file: file) -> None:
    global calls, seen
    if pid() == me:
        calls += 1
        seen = file.f_inode.i_ino if end < 0 or end > 0 else 0


@fexit("vfs_fsync_range")
def leave(datasync: i32, ret: i32) -> None:
    global calls, returned, seen
    if pid() == me:
        calls += 1
        seen = datasync + 7
        returned = ret


@fmod_ret("security_file_open")
def refuse(file: file, ret: i32) -> int:
    global calls
    if pid() != me or file.f_inode.i_ino != secret or ret:
        return 0
    calls += 1
    return -13


def loaded(*programs: Any, **options: Any) -> Any:
    """The programs, loaded; or a skip where the kernel takes none of that kind."""
    try:
        return load(*programs, **options)
    except NotPermitted as error:
        assert "this kernel refuses f" in str(error) and "lockdown" not in str(error)
        pytest.skip("this kernel refuses programs inside its functions")


@pytest.fixture
def some_file() -> Iterator[int]:
    with tempfile.NamedTemporaryFile(dir="/tmp") as made:
        yield made.fileno()


def test_fentry(some_file: int) -> None:
    with loaded(enter, me=os.getpid()) as obj:
        prove("hook", "fentry+", "loaded")
        os.fsync(some_file)
        assert obj[calls] == 0
        with obj.attach():
            prove("hook", "fentry+", "attached")
            os.fsync(some_file)
        assert (obj[calls], obj[seen]) == (1, os.fstat(some_file).st_ino)
        prove("hook", "fentry+", "fired")
        os.fsync(some_file)
        assert obj[calls] == 1


def test_fexit(some_file: int) -> None:
    with loaded(leave, me=os.getpid()) as obj:
        prove("hook", "fexit+", "loaded")
        with obj.attach():
            prove("hook", "fexit+", "attached")
            os.fsync(some_file)
            assert (obj[calls], obj[seen], obj[returned]) == (1, 7, 0)
            reader, writer = os.pipe()
            with pytest.raises(OSError, match="Invalid argument"):
                os.fsync(writer)
            os.close(reader)
            os.close(writer)
        assert (obj[calls], obj[seen], obj[returned]) == (2, 7, -22)
        prove("hook", "fexit+", "fired")


def test_fmod_ret(some_file: int) -> None:
    path = f"/proc/self/fd/{some_file}"
    with loaded(refuse, me=os.getpid(), secret=os.fstat(some_file).st_ino) as obj:
        prove("hook", "fmod_ret+", "loaded")
        with obj.attach():
            prove("hook", "fmod_ret+", "attached")
            with pytest.raises(PermissionError):
                os.open(path, os.O_RDONLY)
        assert obj[calls] == 1
        prove("hook", "fmod_ret+", "fired")
        os.close(os.open(path, os.O_RDONLY))


@tp_btf("task_newtask")
def started(task: task_struct) -> None:
    global calls, seen
    if pid() == me:
        calls += 1
        seen = task.real_parent.tgid


def test_tp_btf() -> None:
    with load(started, me=os.getpid()) as obj:
        prove("hook", "tp_btf+", "loaded")
        with obj.attach():
            prove("hook", "tp_btf+", "attached")
            child = os.fork()
            if not child:
                os._exit(0)
            os.waitpid(child, 0)
        assert (obj[calls], obj[seen]) == (1, os.getpid())
        prove("hook", "tp_btf+", "fired")


@fentry("vfs_fsync_range")
def numbered(ctx: RawTracepointContext) -> None:
    global seen
    if pid() == me:
        seen = bpf_get_attach_cookie(ctx)


def test_cookies(some_file: int) -> None:
    with loaded(numbered, me=os.getpid()) as obj, obj.attach(numbered={"cookie": 1 << 40}):
        os.fsync(some_file)
        assert obj[seen] == 1 << 40


# --- functions that may sleep: one that the kernel has for tests, which a test run of a program calls


@fentry("bpf_fentry_test1", sleepable=True)
def entered(a: i32) -> None:
    global calls
    calls += 1 if a == 1 else 100


@fexit("bpf_fentry_test1", sleepable=True)
def left(a: i32, ret: i32) -> None:
    global calls, returned
    calls += 1
    returned = ret


@fmod_ret("bpf_fentry_test1", sleepable=True)
def changed(a: i32, ret: i32) -> int:
    global calls
    calls += 1
    return 0


@fentry("bpf_fentry_test1")
def trigger() -> None: ...


def call_it(obj: Any) -> None:
    """BPF_PROG_TEST_RUN of a program at fentry calls bpf_fentry_test1(1) and its like."""
    syscall.bpf(syscall.PROG_TEST_RUN, struct.pack("<I", obj.programs["trigger"].fd).ljust(80, b"\0"))


@pytest.mark.parametrize("program", [entered, left, changed], ids=["fentry.s+", "fexit.s+", "fmod_ret.s+"])
def test_sleepable(program: Any) -> None:
    row = program.section.partition("/")[0] + "+"
    try:
        obj = loaded(program, trigger)
    except LoadError as error:
        if "is not sleepable" in str(error) or "not modifiable" in str(error):
            pytest.skip(f"this kernel has no function for {row} programs: {error.args[0].splitlines()[0]}")
        raise
    with obj:
        prove("hook", row, "loaded")
        with obj.attach(trigger=None):
            prove("hook", row, "attached")
            call_it(obj)
        assert obj[calls] == 1
        prove("hook", row, "fired")
        call_it(obj)
        assert obj[calls] == 1


# --- functions of BPF programs


@subprog(global_=True)
def verdict(number: u32) -> u32:
    return number + 1


@xdp
def firewall(pkt: XdpContext) -> XDP:
    return XDP.PASS if verdict(pkt.rx_queue_index) == 1 else XDP.DROP


@fentry(firewall)
def before(ctx: xdp_buff) -> None:
    global calls, seen
    calls += 1
    seen = u64(ctx.data_end) - u64(ctx.data)


@fexit(firewall)
def after(ret: i32) -> None:
    global calls, returned
    calls += 1
    returned = ret


@freplace("verdict")
def always(number: u32) -> u32:
    global calls
    calls += 1
    return number + 7


@freplace("firewall")
def other(pkt: XdpContext) -> XDP:
    return XDP.TX if pkt.data_end != pkt.data else XDP.ABORTED


@pytest.fixture
def running() -> Iterator[Any]:
    with load(firewall) as obj:
        assert obj.programs["firewall"].test(bytes(64)).retval == XDP.PASS
        yield obj.programs["firewall"]


def test_tracing_a_program(running: Any) -> None:
    with loaded(before, after, target_program=running) as obj, obj.attach():
        assert running.test(bytes(70)).retval == XDP.PASS
        assert (obj[calls], obj[seen], obj[returned]) == (2, 70, XDP.PASS)


def test_freplace(running: Any) -> None:
    with loaded(always, target_program=running) as obj:
        prove("hook", "freplace+", "loaded")
        with obj.attach():
            prove("hook", "freplace+", "attached")
            assert running.test(bytes(64)).retval == XDP.DROP
            assert obj[calls] == 1
            prove("hook", "freplace+", "fired")
        assert running.test(bytes(64)).retval == XDP.PASS
        with load(firewall) as second, obj.attach(always=(second.programs["firewall"], "verdict")):
            assert second.programs["firewall"].test(bytes(64)).retval == XDP.DROP
            assert running.test(bytes(64)).retval == XDP.PASS


def test_freplace_of_a_whole_program(running: Any) -> None:
    with loaded(other, target_program=running) as obj, obj.attach():
        assert running.test(bytes(64)).retval == XDP.TX


def test_which_program(running: Any) -> None:
    with pytest.raises(LoadError, match="is for verdict\\(\\) of another program: of which"):
        load(always)

    @freplace("verdit")
    def misspelt(number: u32) -> u32:
        return number

    with pytest.raises(LoadError, match="no function verdit\\(\\) to be for"):
        load(misspelt, target_program=running)


# --- what is refused before loading


def errors(*programs: Any, **options: Any) -> str:
    with pytest.raises(CompileError) as caught:
        build(*programs, **options)
    return str(caught.value)


def test_arguments_by_name_and_in_order() -> None:
    @fentry("vfs_fsync_range")
    def all_in_order(f: file, start: i64, stop: i64) -> None: ...

    @fentry("vfs_fsync_range")
    def mixed(start: i64, stop: i64) -> None: ...

    @fentry("vfs_fsync_range")
    def too_many(a: u64, b: u64, c: u64, d: u64, e: u64) -> None: ...

    @fexit("vfs_fsync_range")
    def answer(ret: i32) -> int:
        return 1 if ret else 0

    assert enter.__bpf__.arg_offsets == (16, 0)
    assert leave.__bpf__.arg_offsets == (24, 32)
    assert all_in_order.__bpf__.arg_offsets == (0, 8, 16)
    assert "`start` is argument number 2 of vfs_fsync_range(), not 1, and it has no `stop`" in errors(mixed)
    assert "gives 4 values, but too_many() takes 5" in errors(too_many)
    assert "the answer of a program at @fexit must be 0" in errors(answer)


def test_sessions_are_of_kernels_to_come() -> None:
    @fsession("vfs_fsync_range")
    def both(file: file, ret: i32) -> None: ...

    assert "needs Linux 7.0" in errors(both, target=Target(kernel=(6, 18)))
    assert build(both, target=Target(kernel=(7, 0))).elf
    if tuple(int(part) for part in os.uname().release.split(".")[:2]) < (7, 0):
        with pytest.raises(LoadError, match=r"Linux 7\.0"):
            load(build(both, target=Target(kernel=(7, 0))))


@pytest.mark.parametrize("hook", [fentry, fexit, fsession], ids=repr)
@pytest.mark.parametrize("sleepable", [False, True])
def test_many_functions_are_of_kernels_to_come(hook: Any, sleepable: bool) -> None:
    name = repr(hook).strip("<>").removeprefix("hook ")

    @hook.multi("vfs_f*", sleepable=sleepable)  # type: ignore[untyped-decorator]
    def many(ctx: RawTracepointContext) -> None:
        value = Array[u64, L[1]]()
        helpers.bpf_get_func_arg(ctx, 0, value)
        global seen
        seen = value[0] + helpers.bpf_get_func_ip(ctx)

    @hook.multi("vfs_f*")  # type: ignore[untyped-decorator]
    def named(ctx: RawTracepointContext, file: u64) -> None: ...

    assert "needs Linux 7.2" in errors(many, target=Target(kernel=(7, 1)))
    newer = Target(kernel=(7, 2))
    assert f"{name}.multi{'.s' if sleepable else ''}/vfs_f*".encode() in build(many, target=newer).elf
    assert "each function has arguments of its own" in errors(named, target=newer)
    with pytest.raises(DeclarationError, match="not a pattern of functions"):
        hook.multi("vfs/read")
    if tuple(int(part) for part in os.uname().release.split(".")[:2]) < (7, 1):
        with pytest.raises(LoadError, match=rf"this kernel has no {name}\.multi"):
            load(build(many, target=newer))


def test_unknown_function_is_warned_of() -> None:
    @fentry("vfs_fsync_rang")
    def misspelt() -> None: ...

    found = check(misspelt, target=Target(kernel=(6, 12)))
    assert [each.code for each in found] == ["W0906"]
    assert 'did you mean @fentry("vfs_fsync_range")?' in found[0].render() if hasattr(found[0], "render") else True
    with pytest.raises((LoadError, NotPermitted)) as caught:
        load(misspelt)
    assert isinstance(caught.value, NotPermitted) or "did you mean 'vfs_fsync_range'?" in str(caught.value)
