"""Finding libbpf, and working with each that is there."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pybpf.runtime import NoBpf, libbpf

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def libraries() -> list[str]:
    return [path for _, path in libbpf.candidates()]


@pytest.mark.kernel
@pytest.mark.parametrize("path", libraries(), ids=[origin for origin, _ in libbpf.candidates()])
def test_each_library_passes_the_tests_of_objects(path: str) -> None:
    """test_object.py and test_links.py, in a process that uses that library."""
    try:
        ctypes.CDLL(path)
    except OSError:
        pytest.skip(f"no {path} on this machine")
    here = os.path.dirname(os.path.abspath(__file__))
    files = [os.path.join(here, f"test_{name}.py") for name in ("object", "links")]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        env={**os.environ, "PYBPF_LIBBPF": path}, cwd=REPOSITORY, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:]


def test_pylibbpf_is_not_imported() -> None:
    code = """if True:
        import sys
        from pybpf.runtime import libbpf
        libbpf.library()
        print("pylibbpf" in sys.modules, "llvmlite" in sys.modules)
    """
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


def test_override_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYBPF_LIBBPF", "libc.so.6")
    with pytest.raises(NoBpf, match=r"PYBPF_LIBBPF: libc.so.6 lacks bpf_object__open_mem"):
        libbpf._find()
    monkeypatch.setenv("PYBPF_LIBBPF", "/nonexistent/libbpf.so")
    with pytest.raises(NoBpf, match=r"(?s)no usable libbpf: PYBPF_LIBBPF: .*\nhelp: install the `pylibbpf` package"):
        libbpf._find()


def test_missing_names_what_it_is_for() -> None:
    for symbol, purpose in libbpf.missing().items():
        assert symbol in libbpf.library().lacks and purpose


def test_messages_are_kept_per_thread(build_c: Callable[[str], bytes]) -> None:
    from pybpf.runtime import open_elf

    with libbpf.messages() as outer, pytest.raises(Exception, match="rejects"):
        open_elf(build_c("rejected"))
    assert outer == []  # the load kept its own


def test_structures_have_the_c_layout(tmp_path: Any) -> None:
    """struct bpf_object_open_opts by the header of the installed libbpf."""
    header = "/usr/include/bpf/libbpf.h"
    if not os.path.exists(header):
        pytest.skip(f"no {header} to compare with")
    names = [name for name, _ in libbpf.OpenOpts._fields_ if name != "attach_prog_fd"]  # type: ignore[misc]
    source = tmp_path / "layout.c"
    prints = "".join(f'printf("%zu\\n", __builtin_offsetof(struct bpf_object_open_opts, {name}));' for name in names)
    source.write_text(f"#include <stdio.h>\n#include <bpf/libbpf.h>\nint main(void) {{ {prints} return 0; }}")
    subprocess.run(["cc", "-o", str(tmp_path / "layout"), str(source)], check=True)
    out = subprocess.run([str(tmp_path / "layout")], capture_output=True, text=True, check=True).stdout.split()
    assert [getattr(libbpf.OpenOpts, name).offset for name in names] == [int(text) for text in out]


def test_messages_in_spite_of_another_users_callback() -> None:
    """Somebody else in the process, such as pylibbpf itself, may have set the library's callback."""
    library = libbpf.library()
    library.libbpf_set_print(None)
    with libbpf.messages() as said:
        assert not library.bpf_object__open_mem(b"no object", 9, None)
    assert "ELF" in "".join(said)
