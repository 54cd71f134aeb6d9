"""Types of kernel modules, whose BTF continues that of vmlinux."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from pybpf import kernel
from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.decode import decode_btf
from pybpf.stdlib.kernel import files, names

CILIUM = Path("/usr/share/gocode/src/github.com/cilium/ebpf/btf/testdata")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine with that kernel and a module loaded; the name of a struct that only the module has."""
    if not (CILIUM / "btf_testmod.btf").exists():
        pytest.skip("golang-github-cilium-ebpf-dev, which has a module's BTF, is not installed")
    base = gzip.decompress((CILIUM / "vmlinux.btf.gz").read_bytes())
    module = (CILIUM / "btf_testmod.btf").read_bytes()
    folder = tmp_path / "btf"
    folder.mkdir()
    (folder / "vmlinux").write_bytes(base)
    (folder / "broken").write_bytes(module[:50])
    (folder / "btf_testmod").write_bytes(module)
    for place in (names, files):
        monkeypatch.setattr(place, "RUNNING", str(folder / "vmlinux"))
        monkeypatch.setattr(place, "MODULES", str(folder))
    monkeypatch.setattr(names, "_names", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    own = decode_btf(module, decode_btf(base)).names(t.Struct)
    return next(name for _, name in own if name and not decode_btf(base).find(name))


def test_a_struct_of_a_module(machine: str) -> None:
    found = getattr(kernel, machine).__bpf__
    assert found.name == machine and found.size > 0 and found.members
    assert getattr(kernel, machine).__bpf__ is found


def test_a_module_s_types_refer_to_the_kernel_s(machine: str) -> None:
    module = names._current().modules()[0]
    function = module.function("bpf_testmod_test_read")
    assert function is not None
    params = dict(function.params)
    assert params["file"].pointee is kernel.file.__bpf__  # type: ignore[attr-defined]
    assert names.function("bpf_testmod_test_read") == function


def test_a_chosen_vmlinux_has_no_modules_of_another_kernel(machine: str, tmp_path: Path) -> None:
    copy = tmp_path / "vmlinux.btf"
    copy.write_bytes((tmp_path / "btf" / "vmlinux").read_bytes())
    kernel.use(str(copy))
    with pytest.raises(AttributeError):
        getattr(kernel, machine)
    kernel.use(str(tmp_path / "btf" / "vmlinux"))
    assert getattr(kernel, machine).__bpf__.members
    kernel.use("")
