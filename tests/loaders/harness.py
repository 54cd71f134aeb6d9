"""The real loaders, as judges of an object file.

Each judge takes a path (or the object's bytes) and returns a `Verdict`. It skips the test, saying why, when its tool
or a privilege is missing. A verdict is clean when the tool took the object and had nothing to say about it:

    @pytest.mark.parametrize("judge", JUDGES)
    def test_every_loader_takes_it(judge, tmp_path):
        check_with(judge, write_object(model), tmp_path)

Nothing outlives a judge: libbpf's objects are closed, and bpffs is mounted in a mount namespace of the judge's own.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@dataclass
class Verdict:
    """What a tool made of an object: `output` is what it printed, `warnings` what it complained about."""

    ok: bool
    output: str = ""
    warnings: list[str] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)  # libbpf only: the verifier's log of each program

    @property
    def clean(self) -> bool:
        return self.ok and not self.warnings


def need_root() -> None:
    """Skip the test where programs can't be loaded."""
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")


def need_tool(*names: str) -> str:
    """The path of the first tool of these names that is installed; the test is skipped when none is."""
    for name in names:
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        if path:
            return path
    pytest.skip(f"{names[0]} is not installed")


# libbpf ---------------------------------------------------------------------------------------------------------

_PRINT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


@functools.cache
def _library_paths() -> dict[str, str]:
    """Each libbpf of this machine: the system's, and the one inside pylibbpf's extension module."""
    paths = {"system": "libbpf.so.1"}
    package = importlib.util.find_spec("pylibbpf")  # found, not imported: importing it pulls in llvmlite
    if package and package.submodule_search_locations:
        for file in sorted(Path(package.submodule_search_locations[0]).glob("pylibbpf.*.so")):
            paths["pylibbpf"] = str(file)
    return paths


@functools.cache
def _libbpf(which: str) -> Any:
    path = _library_paths().get(which)
    if path is None:
        return None
    try:
        lib: Any = ctypes.CDLL(path, use_errno=True)
    except OSError:
        return None
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("bpf_object__open_mem", pointer, [text, ctypes.c_size_t, pointer]),
        ("bpf_object__load", number, [pointer]),
        ("bpf_object__close", None, [pointer]),
        ("bpf_object__next_program", pointer, [pointer, pointer]),
        ("bpf_program__name", text, [pointer]),
        ("bpf_program__fd", number, [pointer]),
        ("bpf_program__set_log_buf", number, [pointer, pointer, ctypes.c_size_t]),
        ("bpf_program__set_log_level", number, [pointer, ctypes.c_uint]),
        ("libbpf_set_print", pointer, [_PRINT]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def load_with_libbpf(data: bytes, log_level: int = 0, library: str = "system") -> Verdict:
    """Load all programs and maps of an object into the running kernel, and unload them again.

    `library` is "system" or "pylibbpf". `log_level` is the verifier's: 1 quotes the lines, 2 shows each state too;
    the logs are in the verdict by program. Whatever libbpf prints at its warning level counts as a warning.
    """
    need_root()
    lib = _libbpf(library)
    if lib is None:
        pytest.skip(f"there is no libbpf of the kind {library!r} here")
    libc = ctypes.CDLL(None)
    libc.vsnprintf.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p]
    messages: list[str] = []

    @_PRINT
    def collect(level: int, format_: bytes, arguments: int) -> int:
        if level == 0:
            buffer = ctypes.create_string_buffer(1 << 16)
            libc.vsnprintf(buffer, len(buffer), format_, arguments)
            messages.append(buffer.value.decode(errors="replace").strip())
        return 0

    silent = _PRINT(lambda level, format_, arguments: 0)
    lib.libbpf_set_print(collect)
    handle = None
    buffers: dict[str, Any] = {}
    try:
        handle = lib.bpf_object__open_mem(data, len(data), None)
        if not handle:
            return Verdict(False, f"open failed: {os.strerror(ctypes.get_errno())}", messages)
        program = lib.bpf_object__next_program(handle, None)
        while program and log_level:
            buffer = buffers[lib.bpf_program__name(program).decode()] = ctypes.create_string_buffer(1 << 20)
            lib.bpf_program__set_log_buf(program, buffer, len(buffer))
            lib.bpf_program__set_log_level(program, log_level)
            program = lib.bpf_object__next_program(handle, program)
        code = lib.bpf_object__load(handle)
        logs = {name: buffer.value.decode(errors="replace") for name, buffer in buffers.items()}
        return Verdict(code == 0, "" if code == 0 else f"load failed: {os.strerror(-code)}", messages, logs)
    finally:
        if handle:
            lib.bpf_object__close(handle)
        lib.libbpf_set_print(silent)
        _kept.append(silent)


_kept: list[Any] = []  # callbacks that the library still holds


# Tools that are run -----------------------------------------------------------------------------------------------


def run(command: list[str], **options: Any) -> Verdict:
    """Run a tool. Everything on standard error, and every line with "warning" or "error" in it, is a warning."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    return Verdict(done.returncode == 0, done.stdout, [line for line in done.stderr.splitlines() if line.strip()])


def bpftool_loadall(path: Path) -> Verdict:
    """`bpftool prog loadall` into a bpffs mounted for this one command."""
    need_root()
    script = 'set -e; mount -t bpf bpf "$1"; "$2" prog loadall "$3" "$1/programs" pinmaps "$1/maps"; ls -R "$1"'
    with tempfile.TemporaryDirectory() as mount:
        shell = [need_tool("unshare"), "-m", "--propagation", "private", "sh", "-c", script, "sh"]
        return run([*shell, mount, need_tool("bpftool"), str(path)])


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


def gen_object(path: Path) -> Verdict:
    """`bpftool gen object`, libbpf's static linker; what it links must load as well."""
    tool = need_tool("bpftool")
    with tempfile.TemporaryDirectory() as folder:
        linked = Path(folder, "linked.bpf.o")
        verdict = run([tool, "gen", "object", str(linked), str(path)])
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
