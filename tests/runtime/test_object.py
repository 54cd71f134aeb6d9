"""Loading and closing: what is found in an object, and that nothing stays open, whatever happens."""

from __future__ import annotations

import gc
import os
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from pybpf.runtime import LoadError, PybpfError, load_object, open_elf

if TYPE_CHECKING:
    from collections.abc import Callable

    from pybpf.runtime import LoadedObject

pytestmark = pytest.mark.kernel


def fds() -> dict[str, str]:
    """This process's descriptors, by number."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue
    return found


def test_contents(obj: LoadedObject, kit: Any) -> None:
    assert list(obj.programs) == ["enter", "raw", "on_labs", "on_labs_return", "ingress"]
    assert set(obj.maps) == set(kit.maps)
    assert obj.programs["ingress"].type == "XDP" and obj.programs["ingress"].section == "xdp"
    info = obj.programs["enter"].info()
    assert info.name == "enter" and info.translated_size % 8 == 0 and info.id > 0 and info.verified_insns > 10


def test_lookup_by_declaration(obj: LoadedObject, kit: Any, programs: Any) -> None:
    assert obj[programs.table] is obj["hash"] is obj[kit.maps["hash"]]
    assert obj[programs.events] is obj["events"]
    assert obj[programs.only_pid] == os.getpid()
    obj[programs.limit] = 3
    assert obj[programs.limit] == obj["limit"] == 3
    with pytest.raises(KeyError, match="did you mean 'hash'"):
        obj["hsh"]
    from pybpf.compiler.schema.record import replace

    with pytest.raises(KeyError, match="does not hold 'hash': none of its programs uses that declaration"):
        obj[replace(kit.maps["hash"])]
    with pytest.raises(TypeError, match="takes a map"):
        obj[5]


def test_globals(obj: LoadedObject) -> None:
    assert dict(obj.globals)["limit"] == 5
    assert obj.globals["only_pid"] == os.getpid() and obj["total"] == 0
    obj.globals["limit"] = -6
    obj["total"] = 41
    assert obj.globals["limit"] == -6 and obj["total"] == 41
    with pytest.raises(OverflowError, match="global 'limit': 2147483648 is outside i32"):
        obj["limit"] = 1 << 31
    with pytest.raises(TypeError, match=r"constant of the loaded program: set it with load\(..., only_pid=...\)"):
        obj["only_pid"] = 1
    with pytest.raises(KeyError, match="did you mean 'total'"):
        obj.globals["totl"]


def test_globals_at_load(kit: Any) -> None:
    with load_object(kit, globals={"only_pid": 7, "total": 1 << 40, "limit": -1}) as obj:
        assert (obj["only_pid"], obj["total"], obj["limit"]) == (7, 1 << 40, -1)
    for values, error, text in (
        ({"onlypid": 7}, LoadError, "did you mean 'only_pid'"),
        ({"only_pid": -1}, OverflowError, "global 'only_pid': -1 is outside u32"),
        ({"only_pid": "x"}, TypeError, "global 'only_pid'"),
    ):
        before = fds()
        with pytest.raises(error, match=text):
            load_object(kit, globals=values)
        assert fds() == before


def test_a_program_sees_a_changed_global(obj: LoadedObject) -> None:
    obj["limit"] = 1000
    obj.programs["ingress"].test(bytes(64))
    assert obj["array"][1] == 1000


def test_any_elf_without_declarations(build_c: Callable[[str], bytes]) -> None:
    with open_elf(build_c("kit"), globals={"only_pid": os.getpid().to_bytes(4, "little")}) as obj:
        obj["hash"][bytes(4)] = bytes(7) + b"\1"
        assert dict(obj["hash"]) == {bytes(4): bytes(7) + b"\1"}
        obj["array"][3] = b"abcd"
        assert obj["array"][3] == b"abcd"
        assert obj.globals["limit"] == b"\5\0\0\0"
        with obj.attach(ingress=None):  # `sum` is a syscall program: there is nothing to attach it to
            assert len(obj.links) == 4
            os.getppid()
        (event,) = obj["events"].poll(1)
        assert len(event) == 32 and event[:4] == os.getpid().to_bytes(4, "little")


@pytest.mark.parametrize(
    "damage",
    [lambda elf: b"", lambda elf: b"not an object", lambda elf: elf[:200], lambda elf: elf[:-100],
     lambda elf: elf[:40] + b"\xff" * 8 + elf[48:], lambda elf: elf[:18] + b"\x3e\0" + elf[20:]],
    ids=["empty", "text", "header only", "cut", "wild offset", "other machine"],
)  # fmt: skip
def test_damaged_objects(build_c: Callable[[str], bytes], damage: Callable[[bytes], bytes]) -> None:
    before = fds()
    with pytest.raises(PybpfError):
        open_elf(damage(build_c("kit")))
    assert fds() == before


def test_close_is_idempotent_and_complete(kit: Any) -> None:
    before = fds()
    obj = load_object(kit, globals={"only_pid": os.getpid()})
    obj.attach(ingress=None)
    assert len(obj.links) == 4
    os.getppid()
    obj["events"].poll(1)
    dict(obj.globals)
    assert len(fds()) > len(before) + 10
    obj.close()
    obj.close()
    assert obj.closed and not obj.links and fds() == before


def test_exception_in_the_block(kit: Any) -> None:
    before = fds()
    with pytest.raises(ZeroDivisionError), load_object(kit).attach(ingress=None) as obj:
        iter(obj["events"])
        1 / 0  # noqa: B018
    assert fds() == before


def test_nested_blocks(kit: Any) -> None:
    """`with load(...) as obj` closes; a `with obj.attach()` inside only detaches what it attached."""
    with load_object(kit, globals={"only_pid": os.getpid()}) as obj:
        with obj.attach(ingress=None, raw=None) as same:
            assert same is obj and len(obj.links) == 3
            os.getppid()
        assert not obj.closed and not obj.links
        os.getppid()
        assert obj["total"] == 1
        with obj.attach(ingress=None, raw=None):
            os.getppid()
        assert obj["total"] == 2
    assert obj.closed
    with load_object(kit).attach(ingress=None) as obj:
        assert obj.links
    assert obj.closed


def test_forgotten_object_is_closed_with_a_warning(kit: Any) -> None:
    before = fds()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        obj = load_object(kit)
        obj.attach(ingress=None)
        del obj
        gc.collect()
    assert [str(w.message) for w in caught if w.category is ResourceWarning] == ["object 'kit' was never closed"]
    assert fds() == before


def test_libbpf_prints_nothing(build_c: Callable[[str], bytes], capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("kit", "rejected"):
        try:
            open_elf(build_c(name)).close()
        except PybpfError as error:
            assert "libbpf: libbpf:" not in str(error)
    assert capfd.readouterr() == ("", "")


def test_logs_of_accepted_programs(kit: Any) -> None:
    with load_object(kit, log_level=2) as obj:
        assert "processed" in obj.programs["enter"].log and "; if pid() != only_pid:" in obj.programs["enter"].log
    with load_object(kit) as obj:
        assert obj.programs["enter"].log == ""
