"""`from pybpf.kernel import ...`: the bundle first, then the running kernel; files in their place; the cache."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import Array, L, Struct, kernel
from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.decode import decode_btf
from pybpf.compiler.btf.encode import btf_section, encode_types
from pybpf.compiler.btf.strings import StringTable
from pybpf.compiler.schema.errors import DeclarationTypeError, DeclarationValueError
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import EnumType, PtrType
from pybpf.stdlib.kernel import files, names
from pybpf.stdlib.types import i32, u32
from tests.loaders.harness import need_tool

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNING = Path(files.RUNNING)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Names as if nothing had been imported, and a cache directory of the test's own."""
    monkeypatch.setattr(names, "_names", None)
    monkeypatch.delenv("PYBPF_BTF", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
    names._names = None


@pytest.fixture
def running() -> Path:
    if not RUNNING.exists():
        pytest.skip(f"this kernel has no {RUNNING}")
    return RUNNING


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without kernel BTF, such as macOS."""
    monkeypatch.setattr(names, "RUNNING", str(tmp_path / "none"))
    monkeypatch.setattr(names, "MODULES", str(tmp_path / "none"))


def raw(*items: t.BtfType) -> bytes:
    strings = StringTable()
    return btf_section(encode_types([t.VOID, *items], strings), strings)


INT = t.Int("int", 4, t.INT_SIGNED, 32)
OWN = raw(INT, t.Struct("own", 4, (t.Member("field", 1, 0),)), t.Enum("hue", 4, False, (("TEAL", 7),)))


# --- the bundle


def test_names_of_the_bundle_need_no_kernel(nowhere: None) -> None:
    from pybpf.kernel import TCP_ESTABLISHED, bpf_map_type, file, pid_t, sock, task_struct

    schema = task_struct.__bpf__
    assert isinstance(schema, KernelType) and schema.tag == "struct"
    way = schema.find("real_parent")
    assert way is not None and isinstance(way[0].type, PtrType) and way[0].type.pointee is schema
    assert kernel.task_struct is task_struct
    assert [member.name for member in sock.__bpf__.find("skc_daddr") or ()] == []
    common = sock.__bpf__.find("__sk_common")[0].type
    assert common is kernel.sock_common.__bpf__ and common.find("skc_daddr")[-1].type.big
    assert file.__bpf__.find("f_path")[-1].type is kernel.path.__bpf__
    assert (pid_t, kernel.u32, kernel.bool) == (i32, u32, bool)
    assert TCP_ESTABLISHED == 1 and type(TCP_ESTABLISHED) is int
    assert isinstance(bpf_map_type.__bpf__, EnumType)


def test_enums_are_like_int_enums(nowhere: None) -> None:
    from pybpf.kernel import BPF_MAP_TYPE_HASH, bpf_map_type

    assert BPF_MAP_TYPE_HASH is bpf_map_type.BPF_MAP_TYPE_HASH is bpf_map_type(1) is bpf_map_type["BPF_MAP_TYPE_HASH"]
    assert (BPF_MAP_TYPE_HASH + 1, BPF_MAP_TYPE_HASH.name, BPF_MAP_TYPE_HASH.value) == (2, "BPF_MAP_TYPE_HASH", 1)
    assert repr(BPF_MAP_TYPE_HASH) == "<bpf_map_type.BPF_MAP_TYPE_HASH: 1>" and str(BPF_MAP_TYPE_HASH) == "1"
    assert len(list(bpf_map_type)) == len(bpf_map_type) > 30 and 1 in bpf_map_type and 999 not in bpf_map_type
    with pytest.raises(ValueError, match="999 is not a value of bpf_map_type"):
        bpf_map_type(999)


def test_fields_of_structs_hold_enumerators(nowhere: None) -> None:
    from pybpf.kernel import bpf_map_type
    from pybpf.runtime.codec import codec

    class Seen(Struct):
        kind: bpf_map_type
        kinds: Array[bpf_map_type, L[2]]

    seen = codec(Seen.__bpf__, "value").decode(bytes([1, 0, 0, 0, 2, 0, 0, 0, 99, 1, 0, 0]), 0)
    assert seen.kind is bpf_map_type.BPF_MAP_TYPE_HASH
    assert [repr(kind) for kind in seen.kinds] == ["<bpf_map_type.BPF_MAP_TYPE_ARRAY: 2>", "355"]


def test_what_tools_walk_is_bundled(nowhere: None) -> None:
    wrong = []
    for walk in (Path(__file__).parent / "walks.txt").read_text().splitlines()[1:]:
        name, *members = walk.split()
        inside = getattr(kernel, name).__bpf__
        for member in members:
            if isinstance(inside, PtrType):
                inside = inside.pointee
            try:
                way = inside.find(member) if isinstance(inside, KernelType) else None
            except DeclarationTypeError:  # it is only declared
                way = None
            if way is None:
                wrong.append(walk)
                break
            inside = way[-1].type
    assert wrong == []


def test_everything_bundled_can_be_read(nowhere: None) -> None:
    """Each struct's members lie inside it, and in order; each type is one that programs can have."""
    types = names._current().first()
    count = 0
    for number, name in types.btf.names(t.Struct, t.Union):
        kind = types.of(number)
        assert isinstance(kind, KernelType) and kind.name in (name, "")
        for member in kind.members:
            assert 0 <= member.offset <= kind.size, (name, member)
            count += 1
    assert count > 8_000


def test_a_struct_that_is_only_declared_says_so_without_a_kernel(nowhere: None) -> None:
    from pybpf.kernel import workqueue_attrs

    with pytest.raises(DeclarationTypeError, match="are not known: there is no kernel BTF here"):
        workqueue_attrs.__bpf__.members  # noqa: B018


def test_completion_offers_names(nowhere: None) -> None:
    offered = dir(kernel)
    assert {"use", "task_struct", "bpf_map_type", "pid_t"} <= set(offered) and len(offered) > 1_200
    assert not any(name.startswith("btf_trace_") for name in offered)


def test_unknown_names(nowhere: None) -> None:
    with pytest.raises(ImportError, match="no type named `task_strukt`\ndid you mean `task_struct`"):
        from pybpf.kernel import task_strukt  # noqa: F401
    with pytest.raises(AttributeError, match="did you mean `sk_buff`"):
        kernel.sk_buf  # noqa: B018
    with pytest.raises(AttributeError, match="only the bundled types are known here"):
        kernel.qqqqqqqq  # noqa: B018
    with pytest.raises(AttributeError, match="`tcp_connect` is a function of the kernel"):
        kernel.tcp_connect  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute '__path__'"):
        kernel.__path__  # noqa: B018
    assert not hasattr(kernel, "nothing_like_it")


# --- the running kernel


def test_names_outside_the_bundle_come_from_the_running_kernel(running: Path) -> None:
    everything = decode_btf(running.read_bytes())
    bundled = names._current().first().btf
    name = next(
        name
        for _, name in everything.names(t.Struct)
        if name and not any(bundled.find(name, kind) for kind in (t.Struct, t.Union, t.Fwd, t.Typedef, t.Enum))
    )
    item = everything[everything.find(name, t.Struct)]
    assert isinstance(item, t.Struct)
    found = getattr(kernel, name).__bpf__
    assert (found.size, [m.name for m in found.members]) == (item.size, [m.name for m in item.members])
    assert names._current()._running is not None


def test_one_name_is_one_object_wherever_it_is_met(running: Path) -> None:
    task = kernel.task_struct.__bpf__
    current = names._current()
    there = current.running()
    assert there is not None
    assert there.struct("struct", "task_struct") is task
    assert there.layout("struct", "task_struct") is not None


def test_members_of_declared_structs_come_from_the_running_kernel(running: Path) -> None:
    everything = decode_btf(running.read_bytes())
    bundled = names._current().first().btf
    for _, name in bundled.names(t.Fwd):
        number = everything.find(name, t.Struct)
        if number:
            item = everything[number]
            assert isinstance(item, t.Struct)
            found = getattr(kernel, name).__bpf__
            assert (found.size, len(found.members)) == (item.size, len(item.members))
            break
    else:
        pytest.fail("the bundle declares nothing that this kernel has")


# --- files


def test_a_file_takes_the_place_of_everything(tmp_path: Path) -> None:
    (tmp_path / "own.btf").write_bytes(OWN)
    before = kernel.task_struct
    kernel.use(str(tmp_path / "own.btf"))
    assert [member.name for member in kernel.own.__bpf__.members] == ["field"]
    assert kernel.TEAL == 7 and kernel.hue.TEAL is kernel.TEAL
    with pytest.raises(AttributeError, match=r"own\.btf has no type named `task_struct`"):
        kernel.task_struct  # noqa: B018
    kernel.use("")
    assert kernel.task_struct.__bpf__.members and before.__bpf__.members


def test_the_environment_names_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.btf").write_bytes(OWN)
    monkeypatch.setenv("PYBPF_BTF", str(tmp_path / "own.btf"))
    assert kernel.own.__bpf__.size == 4


def test_elf_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.c").write_text("struct own { int field; } it;\n")
    command = [need_tool("clang-19", "clang"), "-g", "-target", "bpf", "-c", "x.c", "-o", "x.o"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    kernel.use(str(tmp_path / "x.o"))
    assert kernel.own.__bpf__.members[0].name == "field"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "only 0 bytes"),
        (b"plain text, and no more than that", "magic number"),
        (OWN[:-9], "past the end"),
        (OWN[:-1] + b"x", "doesn't end with a NUL"),
        (b"\x7fELF\1\1" + bytes(60), "not an ELF file of 64 bits"),
        (b"\x7fELF\2\1" + bytes(60), "section headers are cut short"),
        (b"\x7fELF\2\1" + bytes(34) + b"\x40" + bytes(19) + b"\1\0" + bytes(66), "has no section .BTF"),
    ],
)
def test_files_that_hold_no_btf(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DeclarationValueError, match=message):
        kernel.use(str(tmp_path / "x"))
    assert kernel.task_struct, "what was there before stays"


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(DeclarationValueError, match="No such file"):
        kernel.use(str(tmp_path / "x"))
    with pytest.raises(DeclarationValueError, match="Is a directory"):
        kernel.use(str(tmp_path))


# --- the cache of indexes


def big(path: Path) -> Path:
    """A BTF large enough to be indexed."""
    path.write_bytes(raw(INT, *[t.Struct(f"struct_{n}", 4, (t.Member(f"m{n}", 1, 0),)) for n in range(9000)]))
    assert path.stat().st_size > files._SMALL
    return path


def cached(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "cache" / "pybpf" / "btf").iterdir()
    return found


def found_with_cache(path: Path) -> bool:
    """Whether opening it uses the cache; what it finds is right in any case."""
    walks = []
    real = files.Btf

    class Watched(real):  # type: ignore[valid-type, misc]
        def __init__(
            self, types: Any, strings: Any, base: Any = None, index: bytes = b"", identity: bytes = b""
        ) -> None:
            super().__init__(types, strings, base, index, identity)
            walks.append(not index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "Btf", Watched)
        btf = files.open_btf(str(path))
    assert btf[btf.find("struct_8999")].members[0].name == "m8999"  # type: ignore[attr-defined]
    assert btf.find("struct_9000") == 0
    return walks == [False]


def test_the_second_time_uses_the_cache(tmp_path: Path) -> None:
    path = big(tmp_path / "big.btf")
    assert not found_with_cache(path)
    assert found_with_cache(path)
    cache = cached(tmp_path)
    assert cache.stat().st_mode & 0o777 == 0o600 and cache.parent.stat().st_mode & 0o777 == 0o700


def test_a_changed_file_is_indexed_anew(tmp_path: Path) -> None:
    path = big(tmp_path / "big.btf")
    found_with_cache(path)
    os.utime(path, ns=(1, 1))
    assert not found_with_cache(path)


@pytest.mark.parametrize("damage", ["empty", "cut", "zero", "flipped", "text"])
def test_a_broken_cache_is_made_anew(damage: str, tmp_path: Path) -> None:
    path = big(tmp_path / "big.btf")
    found_with_cache(path)
    cache = cached(tmp_path)
    good = cache.read_bytes()
    middle = len(good) // 2
    cache.write_bytes(
        {
            "empty": b"",
            "cut": good[:middle],
            "zero": bytes(len(good)),
            "flipped": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
            "text": b"not an index",
        }[damage]
    )
    assert not found_with_cache(path)
    assert cache.read_bytes() == good
    assert found_with_cache(path)


def test_a_cache_that_others_can_write_is_not_believed(tmp_path: Path) -> None:
    path = big(tmp_path / "big.btf")
    found_with_cache(path)
    cached(tmp_path).chmod(0o666)
    assert not found_with_cache(path)
    assert cached(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_cache_of_another_user_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = big(tmp_path / "big.btf")
    found_with_cache(path)
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert not found_with_cache(path)


def test_a_directory_that_can_not_be_written_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = big(tmp_path / "big.btf")
    (tmp_path / "cache").write_text("a file where the directory should be")
    assert not found_with_cache(path)
    assert not found_with_cache(path)
    assert (tmp_path / "cache").read_text().startswith("a file")


def test_old_indexes_are_removed(tmp_path: Path) -> None:
    for number in range(12):
        found_with_cache(big(tmp_path / f"big{number}.btf"))
    assert len(list((tmp_path / "cache" / "pybpf" / "btf").iterdir())) == 8


def test_the_running_kernel_s_types_are_found_in_milliseconds(running: Path) -> None:
    """A limit with room for a slow machine; benchmarks/kernel_types.py measures."""
    files.open_btf(str(running))
    start = time.perf_counter()
    btf = files.open_btf(str(running))
    assert btf.find("ext4_sb_info") or btf.find("task_struct")
    assert time.perf_counter() - start < 0.05


# --- start-up

OPENED = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
{code}
print(*sorted({{path.rpartition("/")[2] for path in opened if path.endswith(("vmlinux", ".btf", ".btfindex"))}}))
print(*sorted({heavy!r} & set(sys.modules)))
"""
HEAVY = {"typing", "re", "enum", "dataclasses", "lark", "collections", "hashlib", "ctypes", "mmap", "json", "inspect"}


@pytest.mark.parametrize(
    ("code", "opened"),
    [
        ("import pybpf; from pybpf import *; import pybpf.kernel", ""),
        ("from pybpf.kernel import task_struct; task_struct.__bpf__.find('mm')", "vmlinux.btf vmlinux.btfindex"),
    ],
)
def test_no_btf_is_opened_before_it_is_needed(code: str, opened: str) -> None:
    root = Path(__file__).parents[2]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    script = OPENED.format(code=code, heavy=HEAVY)
    command = [sys.executable, "-S", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env={**clean, "PYTHONPATH": str(root)}, check=True)
    files_opened, heavy = done.stdout.split("\n")[:2]
    assert files_opened == opened
    if "import *" not in code:
        assert heavy == ""
