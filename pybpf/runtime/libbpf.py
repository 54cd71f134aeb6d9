"""libbpf's C API through ctypes: finding the library, and the declarations of what we call.

Three places are tried: the file named by `PYBPF_LIBBPF`; the extension module of the `pylibbpf` package, which holds
a recent libbpf with its C API exported (the file is located without importing the package); the system's
`libbpf.so.1`. The first that has all that is needed wins: libraries are told apart by their symbols, never by version.

libbpf writes to stderr through a callback. Ours keeps the messages for whoever asked for them (`messages()`), per
thread, and prints nothing.
"""

from __future__ import annotations

import ctypes
import os
import threading
from contextlib import contextmanager
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any

from pybpf.runtime.errors import NoBpf

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Library", "OpenOpts", "candidates", "library", "messages", "missing"]


class OpenOpts(ctypes.Structure):
    """struct bpf_object_open_opts (libbpf.h) up to the members that we set; `sz` tells the library where it ends."""

    _fields_ = [
        ("sz", c_size_t),
        ("object_name", c_char_p),
        ("relaxed_maps", ctypes.c_bool),
        ("pin_root_path", c_char_p),
        ("attach_prog_fd", c_uint32),  # gone since libbpf 1.0; its place is kept
        ("kconfig", c_char_p),
        ("btf_custom_path", c_char_p),
    ]


# name -> (result, arguments). Pointers to libbpf's structs are opaque.
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "bpf_object__open_mem": (c_void_p, [c_void_p, c_size_t, POINTER(OpenOpts)]),
    "bpf_object__load": (c_int, [c_void_p]),
    "bpf_object__close": (None, [c_void_p]),
    "bpf_object__next_program": (c_void_p, [c_void_p, c_void_p]),
    "bpf_object__next_map": (c_void_p, [c_void_p, c_void_p]),
    "bpf_program__name": (c_char_p, [c_void_p]),
    "bpf_program__section_name": (c_char_p, [c_void_p]),
    "bpf_program__type": (c_int, [c_void_p]),
    "bpf_program__set_type": (c_int, [c_void_p, c_int]),
    "bpf_program__expected_attach_type": (c_int, [c_void_p]),
    "bpf_program__set_flags": (c_int, [c_void_p, c_uint32]),
    "bpf_program__set_expected_attach_type": (c_int, [c_void_p, c_int]),
    "bpf_program__set_attach_target": (c_int, [c_void_p, c_int, c_char_p]),
    "bpf_program__autoload": (ctypes.c_bool, [c_void_p]),
    "bpf_program__set_autoload": (c_int, [c_void_p, ctypes.c_bool]),
    "bpf_program__set_log_buf": (c_int, [c_void_p, c_void_p, c_size_t]),
    "bpf_program__set_log_level": (c_int, [c_void_p, c_uint32]),
    "bpf_program__fd": (c_int, [c_void_p]),
    "bpf_program__attach": (c_void_p, [c_void_p]),
    "bpf_link__fd": (c_int, [c_void_p]),
    "bpf_link__destroy": (c_int, [c_void_p]),
    "bpf_map__name": (c_char_p, [c_void_p]),
    "bpf_map__type": (c_int, [c_void_p]),
    "bpf_map__key_size": (c_uint32, [c_void_p]),
    "bpf_map__value_size": (c_uint32, [c_void_p]),
    "bpf_map__max_entries": (c_uint32, [c_void_p]),
    "bpf_map__set_max_entries": (c_int, [c_void_p, c_uint32]),
    "bpf_map__map_flags": (c_uint32, [c_void_p]),
    "bpf_map__set_map_flags": (c_int, [c_void_p, c_uint32]),
    "bpf_map__attach_struct_ops": (c_void_p, [c_void_p]),
    "bpf_map__fd": (c_int, [c_void_p]),
    "bpf_map__map_extra": (c_uint64, [c_void_p]),
    "bpf_map__reuse_fd": (c_int, [c_void_p, c_int]),
    "bpf_map__pin_path": (c_char_p, [c_void_p]),
    "bpf_map__is_internal": (ctypes.c_bool, [c_void_p]),
    "bpf_map__initial_value": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "bpf_map_lookup_elem": (c_int, [c_int, c_char_p, c_void_p]),
    "bpf_map_lookup_elem_flags": (c_int, [c_int, c_char_p, c_void_p, c_uint64]),
    "bpf_map_update_elem": (c_int, [c_int, c_char_p, c_char_p, c_uint64]),
    "bpf_map_delete_elem": (c_int, [c_int, c_char_p]),
    "bpf_map_lookup_and_delete_elem": (c_int, [c_int, c_char_p, c_void_p]),
    "bpf_map_get_next_key": (c_int, [c_int, c_char_p, c_void_p]),
    "libbpf_set_print": (c_void_p, [c_void_p]),
    "libbpf_version_string": (c_char_p, []),
}

# what `doctor` reports: present in newer libraries, done by ourselves or left out where they are absent
_WISHES: dict[str, str] = {
    "bpf_program__attach_tcx": "TCX links (pybpf makes them itself)",
    "bpf_program__attach_netkit": "netkit links",
    "bpf_program__attach_netfilter": "netfilter links",
    "bpf_program__attach_uprobe_multi": "uprobe.multi links",
    "bpf_program__attach_usdt": "USDT probes",
    "ring_buffer__new": "libbpf's ring-buffer consumer (pybpf has its own)",
}

_PRINT = ctypes.CFUNCTYPE(c_int, c_int, c_void_p, c_void_p)
_local = threading.local()


def _print(level: int, format: int, arguments: int) -> int:
    kept: list[str] | None = getattr(_local, "kept", None)
    if kept is not None and level < 2:  # LIBBPF_WARN 0, INFO 1, DEBUG 2
        buffer = ctypes.create_string_buffer(8192)
        _vsnprintf(buffer, 8192, format, arguments)
        kept.append(buffer.value.decode(errors="replace").removeprefix("libbpf: ").rstrip())
    return 0


# A va_list is passed as a pointer on every architecture that Linux BPF runs on: it is an array, a pointer, or a struct
# that goes by reference.
_vsnprintf = ctypes.CDLL(None).vsnprintf
_vsnprintf.argtypes = [c_char_p, c_size_t, c_void_p, c_void_p]
_callback = _PRINT(_print)  # kept for the life of the process: libbpf holds its address


@contextmanager
def messages() -> Iterator[list[str]]:
    """Collect what libbpf says in this thread meanwhile, one message a list item.

    Whatever else in this process uses the same library may have put a callback of its own in the place of ours.
    """
    library().libbpf_set_print(ctypes.cast(_callback, c_void_p))
    outer = getattr(_local, "kept", None)
    kept: list[str] = []
    _local.kept = kept
    try:
        yield kept
    finally:
        _local.kept = outer


class Library:
    """One loaded libbpf: its functions are attributes, `path` is its file, `lacks` the symbols not found."""

    def __init__(self, path: str) -> None:
        self.path = path
        cdll = ctypes.CDLL(path, use_errno=True)
        self.lacks: list[str] = [name for name in (*_FUNCTIONS, *_WISHES) if not hasattr(cdll, name)]
        for name, (result, arguments) in _FUNCTIONS.items():
            if name not in self.lacks:
                function = getattr(cdll, name)
                function.restype, function.argtypes = result, arguments
                setattr(self, name, function)
        self.knows_arenas = hasattr(cdll, "bpf_token_create")  # both came with 1.4
        self.usable = not any(name in _FUNCTIONS for name in self.lacks)
        self.version = str(self.libbpf_version_string().decode()) if self.usable else "?"

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def candidates() -> list[tuple[str, str]]:
    """Where a libbpf may be, best first: (where it comes from, file or soname)."""
    override = os.environ.get("PYBPF_LIBBPF")
    if override:
        return [("PYBPF_LIBBPF", override)]
    found = [("pylibbpf", path) for path in _pylibbpf_files()]
    return [*found, ("system", "libbpf.so.1")]


def _pylibbpf_files() -> list[str]:
    import importlib.machinery
    import importlib.util

    try:
        spec = importlib.util.find_spec("pylibbpf")
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    files = [spec.origin] if spec.origin and spec.origin.endswith(suffixes) else []
    for directory in spec.submodule_search_locations or ():
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue
        files += [os.path.join(directory, name) for name in names if name.endswith(suffixes)]
    return files


_library: Library | None = None
_lock = threading.Lock()


def library() -> Library:
    """The libbpf in use, found at the first call. Raises `NoBpf` saying where it was looked for."""
    global _library
    if _library is None:
        with _lock:
            if _library is None:
                _library = _find()
    return _library


def _find() -> Library:
    tried = []
    for origin, path in candidates():
        try:
            found = Library(path)
        except OSError as error:
            tried.append(f"{origin}: {error}")
            continue
        if found.usable:
            found.libbpf_set_print(ctypes.cast(_callback, c_void_p))
            return found
        tried.append(f"{origin}: {path} lacks {', '.join(name for name in found.lacks if name in _FUNCTIONS)}")
    raise NoBpf(
        "no usable libbpf: " + "; ".join(tried),
        "install the `pylibbpf` package or the system's libbpf (Debian: libbpf1), or set PYBPF_LIBBPF to the file",
    )


def missing() -> dict[str, str]:
    """What the library in use lacks: symbol -> what it is for."""
    return {name: text for name, text in _WISHES.items() if name in library().lacks}
