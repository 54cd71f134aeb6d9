"""The code of pybpf's modules in one file, so that a cold start reads one file instead of a hundred.

Python takes about 0.3 ms to find, check and read a module's `.pyc`, and a compilation imports a hundred of them: longer
than the compilation itself. An image is to all of them what a `.pyc` is to one: their code objects, kept in
`__pycache__`, each used only while its source has the size and time of change that it had, and read only when its
module is imported. Everything else (a module that is not in it, or has changed) is imported as usual. `pybpf build`
writes the image after its own work when some module did not come from it; where it can't be written nothing is lost but
time. It may be deleted at any moment.

The file: _MAGIC, the index's length in 4 bytes, the index, the codes; both as marshal writes them.
"""

from __future__ import annotations

import marshal
import os
import sys
from _frozen_importlib import ModuleSpec  # importlib.machinery has it too, but takes longer to import than the image
from _io import FileIO  # so has io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType
    from typing import Any

    # source file, whether it is a package, its time of change in ns, its size in bytes; where among
    # the codes its own is, and how many bytes of it
    Entry = tuple[str, bool, int, int, int, int]

__all__ = ["Image", "install", "path_of_image"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_MAGIC = b"pybpf3"


def path_of_image() -> str:
    """The image's file, one for each kind of interpreter, as for a `.pyc`."""
    optimised = f".opt-{sys.flags.optimize}" if sys.flags.optimize else ""
    return os.path.join(_PACKAGE, "__pycache__", f"modules.{sys.implementation.cache_tag}{optimised}.image")


class Image:
    """Finder and loader of the modules in an image. `used` are the names of those that came from it."""

    def __init__(self, entries: dict[str, Entry], file: FileIO | None = None, start: int = 0) -> None:
        self.entries = entries
        self.used: set[str] = set()
        self._file = file
        self._start = start

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        entry = self.entries.get(name)
        if entry is None:
            return None
        if not _fresh(entry):
            del self.entries[name]
            return None
        spec = ModuleSpec(name, self, origin=entry[0], is_package=entry[1])  # type: ignore[arg-type]
        spec.has_location = True
        if entry[1]:
            spec.submodule_search_locations = [os.path.dirname(entry[0])]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Modules are made as usual."""

    def exec_module(self, module: ModuleType) -> None:
        self.used.add(module.__name__)
        exec(self.get_code(module.__name__), module.__dict__)

    def get_code(self, name: str) -> CodeType:
        code: CodeType = marshal.loads(self._bytes(self.entries[name]))
        return code

    def _bytes(self, entry: Entry) -> bytes:
        assert self._file is not None
        self._file.seek(self._start + entry[4])
        return self._file.read(entry[5])

    def save_if_incomplete(self) -> None:
        """Write an image of what is imported now, and what is here already, if that is more than this one holds."""
        missing = [
            module
            for name, module in list(sys.modules.items())
            if name.partition(".")[0] == "pybpf" and name not in self.entries and _source(module)
        ]
        if missing and not sys.dont_write_bytecode:
            known = {name: (entry[:4], self._bytes(entry)) for name, entry in self.entries.items()}
            for module in missing:
                found = _found(module)
                if found is not None:
                    known[module.__name__] = found
            _write(known)


def install() -> Image:
    """Read the image's index, if there is one, and let imports use it."""
    entries, file, start = {}, None, 0
    try:
        file = FileIO(path_of_image())
        head = file.read(len(_MAGIC) + 4)
        if head.startswith(_MAGIC):
            length = int.from_bytes(head[len(_MAGIC) :], "little")
            entries, start = marshal.loads(file.read(length)), len(head) + length
    except (OSError, ValueError, EOFError, TypeError):
        entries = {}
    image = Image(entries, file, start)
    if entries:
        sys.meta_path.insert(0, image)
    return image


def _fresh(entry: Entry) -> bool:
    """Whether the module's source is what it was."""
    try:
        status = os.stat(entry[0])
    except OSError:
        return False
    return status.st_mtime_ns == entry[2] and status.st_size == entry[3]


def _source(module: ModuleType) -> str:
    """The source file of a module that Python imported from one; "" for others."""
    spec = module.__spec__
    origin = spec.origin if spec is not None else None
    return origin if origin and origin.endswith(".py") and origin.startswith(_PACKAGE + os.sep) else ""


def _found(module: ModuleType) -> tuple[tuple[str, bool, int, int], bytes] | None:
    """What there is to know of an imported module, and its code."""
    source = _source(module)
    try:
        status = os.stat(source)
        loader: Any = module.__spec__.loader if module.__spec__ else None
        code = loader.get_code(module.__name__)
    except (OSError, AttributeError, ImportError):
        return None
    return (source, hasattr(module, "__path__"), status.st_mtime_ns, status.st_size), marshal.dumps(code)


def _write(known: dict[str, tuple[tuple[str, bool, int, int], bytes]]) -> None:
    path = path_of_image()
    beside = f"{path}.{os.getpid()}"
    index, at = {}, 0
    for name, (facts, code) in known.items():
        index[name] = (*facts, at, len(code))
        at += len(code)
    text = marshal.dumps(index)
    try:
        with open(beside, "wb") as file:
            file.write(_MAGIC + len(text).to_bytes(4, "little") + text)
            file.writelines([code for _, code in known.values()])
        os.replace(beside, path)
    except OSError:
        if os.path.exists(beside):
            os.unlink(beside)
