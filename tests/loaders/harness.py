"""The real loaders, as judges of an object file.

Each judge takes the path of an object and returns a `Verdict`. It skips the test, saying why, when its tool
or a privilege is missing. A verdict is clean when the tool took the object and had nothing to say about it:

    @pytest.mark.parametrize("judge", JUDGES)
    def test_every_loader_takes_it(judge, tmp_path):
        check_with(judge, write_object(model), tmp_path)

Nothing outlives a judge: libbpf's objects are closed, and bpffs is mounted in a mount namespace of the judge's own.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.loaders.libbpf import Verdict, load_with_libbpf, need_root

__all__ = [
    "JUDGES", "Verdict", "bpftool_loadall", "btf_dump", "btf_dump_c", "check_with", "cilium_load", "cilium_parse",
    "cilium_spec", "compile_skeleton", "gen_object", "gen_skeleton", "ip_xdp", "load_with_libbpf", "need_root",
    "need_tool", "objdump", "readelf", "run",
]  # fmt: skip

HERE = Path(__file__).parent


def need_tool(*names: str) -> str:
    """The path of the first tool of these names that is installed; the test is skipped when none is."""
    for name in names:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        if path:
            return path
    pytest.skip(f"{names[0]} is not installed")


# Tools that are run -----------------------------------------------------------------------------------------------


def run(command: list[str], **options: Any) -> Verdict:
    """Run a tool. Every line on standard error is a warning."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    return Verdict(done.returncode == 0, done.stdout, [line for line in done.stderr.splitlines() if line.strip()])


def bpftool_loadall(path: Path) -> Verdict:
    """`bpftool prog loadall` into a bpffs mounted for this one command."""
    need_root()
    script = 'set -e; mount -t bpf bpf "$1"; "$2" prog loadall "$3" "$1/programs" pinmaps "$1/maps"; ls -R "$1"'
    with tempfile.TemporaryDirectory() as mount:
        shell = [need_tool("unshare"), "-m", "--propagation", "private", "sh", "-c", script, "sh"]
        return run([*shell, mount, need_tool("bpftool"), str(path)])


def ip_xdp(path: Path, section: str = "xdp") -> Verdict:
    """iproute2: `ip link set ... xdp obj` on a veth of a network namespace made for this one command."""
    need_root()
    script = (
        "set -e; mount -t bpf bpf /sys/fs/bpf; ip link add pybpf0 type veth peer name pybpf1; "
        'ip link set pybpf0 xdpgeneric obj "$1" sec "$2"; ip -d link show pybpf0'
    )
    need_tool("ip")
    return run(
        [need_tool("unshare"), "-n", "-m", "--propagation", "private", "sh", "-c", script, "sh", str(path), section]
    )


def gen_skeleton(path: Path) -> Verdict:
    """`bpftool gen skeleton`; the output is the C header."""
    return run([need_tool("bpftool"), "gen", "skeleton", str(path), "name", "judged"])


def compile_skeleton(path: Path) -> Verdict:
    """The skeleton, compiled as C with all warnings, after the program's own types as bpftool dumps them."""
    compiler = need_tool("gcc", "clang-19", "clang")
    if not Path("/usr/include/bpf/libbpf.h").exists():
        pytest.skip("libbpf-dev is not installed")
    made, types = gen_skeleton(path), btf_dump(path, "c")
    if not (made.clean and types.clean):
        return made if not made.clean else types
    # contexts, of which we have the name only, would clash with linux/bpf.h
    header = re.sub(r"(?m)^struct \w+ \{\};$", "", types.output)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "judged.skel.h").write_text(made.output)
        Path(folder, "types.h").write_text(header)
        Path(folder, "main.c").write_text(
            '#define BPF_NO_PRESERVE_ACCESS_INDEX\n#include "types.h"\n#include "judged.skel.h"\n'
            "int main(void) { judged__destroy(judged__open()); return 0; }\n"
        )
        return run([compiler, "-std=gnu11", "-Wall", "-Wextra", "-Wno-unused", "-fsyntax-only", "main.c"], cwd=folder)


def gen_object(path: Path, *others: Path) -> Verdict:
    """`bpftool gen object`, libbpf's static linker, of one object or several; what it links must load as well."""
    tool = need_tool("bpftool")
    with tempfile.TemporaryDirectory() as folder:
        linked = Path(folder, "linked.bpf.o")
        verdict = run([tool, "gen", "object", str(linked), *map(str, (path, *others))])
        if not verdict.clean:
            return verdict
        return load_with_libbpf(linked.read_bytes())


def btf_dump(path: Path, format_: str = "raw") -> Verdict:
    """`bpftool btf dump`; `format_` is "raw" or "c"."""
    return run([need_tool("bpftool"), "btf", "dump", "file", str(path), "format", format_])


def btf_dump_c(path: Path) -> Verdict:
    """`bpftool btf dump` as a C header, which must compile."""
    verdict = btf_dump(path, "c")
    if not verdict.clean:
        return verdict
    return run(
        [need_tool("gcc", "clang-19", "clang"), "-std=gnu11", "-fsyntax-only", "-x", "c", "-"], input=verdict.output
    )


def objdump(path: Path) -> Verdict:
    """`llvm-objdump -dr`."""
    return run([need_tool("llvm-objdump-19", "llvm-objdump"), "-dr", str(path)])


def readelf(path: Path) -> Verdict:
    """`readelf -aW`."""
    return run([need_tool("readelf"), "-aW", str(path)])


@functools.cache
def _cilium_tool() -> str | None:
    """The Go program of `cilium/main.go`, built once a session; None when its packages are missing."""
    go = shutil.which("go")
    if go is None or not Path("/usr/share/gocode/src/github.com/cilium/ebpf").exists():
        return None
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "CGO_ENABLED": "0"}
    environment.setdefault("HOME", folder)
    binary = os.path.join(folder, "cilium-judge")
    subprocess.run([go, "build", "-o", binary, str(HERE / "cilium/main.go")], check=True, env=environment, timeout=600)
    return binary


def cilium_parse(path: Path, *, load: bool = False) -> Verdict:
    """cilium/ebpf's reader; the output is JSON of the maps and programs it sees. `load`: into the kernel as well."""
    tool = _cilium_tool()
    if tool is None:
        pytest.skip("golang-go and golang-github-cilium-ebpf-dev are not installed")
    return run([tool, str(path), *(["load"] if load else [])])


def cilium_spec(path: Path) -> dict[str, Any]:
    """What cilium/ebpf sees in an object: {"maps": {name: ...}, "programs": {name: ...}}."""
    verdict = cilium_parse(path)
    assert verdict.clean, verdict
    answer: dict[str, Any] = json.loads(verdict.output)
    return answer


def cilium_load(path: Path) -> Verdict:
    """cilium/ebpf's reader and loader."""
    need_root()
    return cilium_parse(path, load=True)


def libbpf_system(path: Path) -> Verdict:
    """The system's libbpf."""
    return load_with_libbpf(path.read_bytes())


def libbpf_pylibbpf(path: Path) -> Verdict:
    """The newer libbpf of pylibbpf."""
    return load_with_libbpf(path.read_bytes(), library="pylibbpf")


JUDGES = {
    judge.__name__: judge
    for judge in (
        libbpf_system, libbpf_pylibbpf, bpftool_loadall, gen_skeleton, compile_skeleton, gen_object, btf_dump,
        btf_dump_c, cilium_parse, cilium_load, objdump, readelf,
    )
}  # fmt: skip


def check_with(judge: str, data: bytes, folder: Path) -> Verdict:
    """Write the object into `folder`, let one judge see it, and fail the test unless the verdict is clean."""
    path = folder / "judged.bpf.o"
    path.write_bytes(data)
    verdict = JUDGES[judge](path)
    assert verdict.clean, f"{judge}: {verdict.output}\n" + "\n".join(verdict.warnings)
    return verdict
