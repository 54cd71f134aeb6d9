"""libbpf through ctypes, as a judge that is independent of the project's own runtime.

load_with_libbpf(data)   a Verdict: does it load, what did libbpf say, what is in the verifier's log
with loaded(data) as o:  an object in the kernel: run its programs, look into its maps
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import struct
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LIBRARIES", "Loaded", "Verdict", "load_with_libbpf", "loaded", "need_root"]

LIBRARIES = ("system", "pylibbpf")


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


_PRINT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_SILENT = _PRINT(lambda level, format_, arguments: 0)  # stays installed between uses, so it must stay alive


def _library_path(which: str) -> str | None:
    """The system's libbpf, or the one inside pylibbpf's extension module."""
    if which == "system":
        return "libbpf.so.1"
    package = importlib.util.find_spec("pylibbpf")  # found, not imported: importing it pulls in llvmlite
    if package and package.submodule_search_locations:
        for file in sorted(Path(package.submodule_search_locations[0]).glob("pylibbpf.*.so")):
            return str(file)
    return None


@functools.cache
def _libbpf(which: str) -> Any:
    path = _library_path(which)
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
        ("bpf_object__find_program_by_name", pointer, [pointer, text]),
        ("bpf_object__find_map_fd_by_name", number, [pointer, text]),
        ("bpf_object__next_map", pointer, [pointer, pointer]),
        ("bpf_map__name", text, [pointer]),
        ("bpf_map__fd", number, [pointer]),
        ("bpf_program__name", text, [pointer]),
        ("bpf_program__fd", number, [pointer]),
        ("bpf_program__set_log_buf", number, [pointer, pointer, ctypes.c_size_t]),
        ("bpf_program__set_log_level", number, [pointer, ctypes.c_uint]),
        ("libbpf_set_print", pointer, [_PRINT]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def _need_libbpf(which: str) -> Any:
    need_root()
    lib = _libbpf(which)
    if lib is None:
        pytest.skip("no pylibbpf for this interpreter" if which == "pylibbpf" else "libbpf.so.1 is not installed")
    return lib


@contextmanager
def _messages(lib: Any) -> Iterator[list[str]]:
    """What the library says at its warning level meanwhile."""
    libc = ctypes.CDLL(None)
    libc.vsnprintf.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p]
    messages: list[str] = []

    def collect(level: int, format_: bytes, arguments: int) -> int:
        if level == 0:
            buffer = ctypes.create_string_buffer(1 << 16)
            libc.vsnprintf(buffer, len(buffer), format_, arguments)
            messages.append(buffer.value.decode(errors="replace").strip())
        return 0

    callback = _PRINT(collect)
    lib.libbpf_set_print(callback)
    try:
        yield messages
    finally:
        lib.libbpf_set_print(_SILENT)


def _each(following: Any, handle: int) -> Iterator[int]:
    item = following(handle, None)
    while item:
        yield item
        item = following(handle, item)


def load_with_libbpf(data: bytes, log_level: int = 0, library: str = "system") -> Verdict:
    """Load all programs and maps of an object into the running kernel, and unload them again.

    `library` is one of LIBRARIES. `log_level` is the verifier's: 1 quotes the lines, 2 shows each state too; the logs
    are in the verdict by program. Whatever libbpf prints at its warning level counts as a warning.
    """
    lib = _need_libbpf(library)
    buffers: dict[str, Any] = {}
    with _messages(lib) as messages:
        handle = lib.bpf_object__open_mem(data, len(data), None)
        if not handle:
            return Verdict(False, f"open failed: {os.strerror(ctypes.get_errno())}", messages)
        try:
            for program in _each(lib.bpf_object__next_program, handle) if log_level else ():
                buffer = buffers[lib.bpf_program__name(program).decode()] = ctypes.create_string_buffer(1 << 20)
                lib.bpf_program__set_log_buf(program, buffer, len(buffer))
                lib.bpf_program__set_log_level(program, log_level)
            code = lib.bpf_object__load(handle)
            logs = {name: buffer.value.decode(errors="replace") for name, buffer in buffers.items()}
            return Verdict(code == 0, "" if code == 0 else f"load failed: {os.strerror(-code)}", messages, logs)
        finally:
            lib.bpf_object__close(handle)


@contextmanager
def loaded(data: bytes, library: str = "system") -> Iterator[Loaded]:
    """An object in the kernel, until the end of the block. The test fails when it does not load."""
    lib = _need_libbpf(library)
    with _messages(lib) as messages:
        handle = lib.bpf_object__open_mem(data, len(data), None)
        assert handle, messages
        try:
            assert lib.bpf_object__load(handle) == 0, "\n".join(messages)
            yield Loaded(lib, handle)
        finally:
            lib.bpf_object__close(handle)


_BPF = 321  # the system call's number on x86-64
_LOOKUP, _TEST_RUN = 1, 10


def _bpf(command: int, attributes: bytes) -> bytes:
    """bpf(2); the attributes as the kernel left them. Raises OSError."""
    buffer = ctypes.create_string_buffer(attributes, max(len(attributes), 128))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_BPF, command, buffer, len(buffer)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return buffer.raw


class Loaded:
    """An object in the kernel."""

    def __init__(self, lib: Any, handle: int) -> None:
        self._lib, self._handle = lib, handle

    def program_fd(self, name: str) -> int:
        """The program's file descriptor, which the object owns."""
        program = self._lib.bpf_object__find_program_by_name(self._handle, name.encode())
        assert program, f"no program {name}"
        fd: int = self._lib.bpf_program__fd(program)
        return fd

    def map_fd(self, name: str) -> int:
        """The map's file descriptor. A data section's map goes by the section (".bss")."""
        for map_ in _each(self._lib.bpf_object__next_map, self._handle):
            found = self._lib.bpf_map__name(map_).decode()
            if found == name or (name.startswith(".") and found.endswith(name)):
                fd: int = self._lib.bpf_map__fd(map_)
                return fd
        raise AssertionError(f"no map {name}")

    def lookup(self, name: str, key: bytes, size: int) -> bytes | None:
        """The value of `size` bytes under a key; None when there is none."""
        wanted, value = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(size)
        addresses = ctypes.addressof(wanted), ctypes.addressof(value)
        try:
            _bpf(_LOOKUP, struct.pack("<IIQQQ", self.map_fd(name), 0, *addresses, 0))
        except FileNotFoundError:
            return None
        return value.raw

    def test_run(self, name: str, packet: bytes = b"", context: bytes = b"") -> int:
        """BPF_PROG_TEST_RUN: the program's return value, for a packet or for a context (raw tracepoints: arguments)."""
        data_in = ctypes.create_string_buffer(packet, len(packet))
        ctx_in = ctypes.create_string_buffer(context, len(context))
        attributes = struct.pack(
            "<IIIIQQIIIIQQ",
            self.program_fd(name), 0, len(packet), 0, ctypes.addressof(data_in) if packet else 0, 0, 0, 0,
            len(context), 0, ctypes.addressof(ctx_in) if context else 0, 0,
        )  # fmt: skip
        return int.from_bytes(_bpf(_TEST_RUN, attributes)[4:8], "little")
