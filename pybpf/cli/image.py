"""The code of pybpf's modules in one file, so that a cold start reads one file instead of a hundred.

Python takes about 0.3 ms to find, check and read a module's `.pyc`, and a compilation imports a hundred of them: longer
than the compilation itself. An image is to all of them what a `.pyc` is to one: their code objects, kept in
`__pycache__`, each used only while its source has the size and time of change that it had, and read only when its
module is imported. Everything else (a module that is not in it, or has changed) is imported as usual. `pybpf build`
writes the image after its own work when some module did not come from it; where it can't be written nothing is lost but
time. It may be deleted at any moment.

Two things besides the code are kept. A module may have a dict `__kept__` of what follows from its source alone and
takes time to make. And for each module the image knows which others it imports as it is executed: those are made
before it, in that order, past Python's machinery, which would take as long for each as all the rest of its import. What
is found in an image for the first time is imported as usual, and watched; the image is then written once more.

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

    # source file, whether it is a package, its time of change in ns, its size in bytes; what it imports as it is
    # executed, None where nobody has seen it yet; where among the codes its own is, and how many bytes of it
    Facts = tuple[str, bool, int, int, tuple[str, ...] | None]
    Entry = tuple[str, bool, int, int, tuple[str, ...] | None, int, int]

__all__ = ["Image", "install", "path_of_image"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_MAGIC = b"pybpf4"


def path_of_image() -> str:
    """The image's file, one for each kind of interpreter, as for a `.pyc`."""
    optimised = f".opt-{sys.flags.optimize}" if sys.flags.optimize else ""
    return os.path.join(_PACKAGE, "__pycache__", f"modules.{sys.implementation.cache_tag}{optimised}.image")


class Image:
    """Finder and loader of the modules in an image. `used` has those that came from it, and what each imported."""

    def __init__(self, entries: dict[str, Entry], file: FileIO | None = None, start: int = 0) -> None:
        self.entries = entries
        self.used: dict[str, tuple[str, ...]] = {}
        self._kept: dict[str, int] = {}  # how much of __kept__ was in the image
        self._running: list[list[str]] = [[]]  # what each of the modules that are being executed has imported
        self._path = path_of_image()
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
        spec.cached = self._path
        if entry[1]:
            spec.submodule_search_locations = [os.path.dirname(entry[0])]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Modules are made as usual."""

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        entry = self.entries[name]
        imported: list[str] = []
        self._running.append(imported)
        try:
            for needed in entry[4] or ():
                if needed not in sys.modules and not self._make(needed):
                    break
            code, kept = marshal.loads(self._bytes(entry))
            exec(code, module.__dict__)
        finally:
            self._running.pop()
        if kept:
            module.__dict__["__kept__"].update(kept)
        self._kept[name] = len(kept)
        self.used[name] = tuple(imported)
        self._running[-1].append(name)

    def _make(self, name: str) -> bool:
        """Import a module of the image, as the import system would. False, and nothing done, where it has to."""
        parent, _, last = name.rpartition(".")
        spec = self.find_spec(name) if parent in sys.modules else None
        if spec is None:
            return False
        module: Any = type(sys)(name)
        module.__spec__ = spec
        module.__loader__ = self
        module.__file__ = spec.origin
        module.__cached__ = spec.cached
        module.__package__ = spec.parent
        if spec.submodule_search_locations is not None:
            module.__path__ = spec.submodule_search_locations
        sys.modules[name] = module
        try:
            self.exec_module(module)
        except ImportError:  # modules that import each other: in the order in which Python does
            del sys.modules[name]
            return False
        setattr(sys.modules[parent], last, module)
        return True

    def get_code(self, name: str) -> CodeType:
        code: CodeType = marshal.loads(self._bytes(self.entries[name]))[0]
        return code

    def _bytes(self, entry: Entry) -> bytes:
        assert self._file is not None
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), entry[6], self._start + entry[5])
        self._file.seek(self._start + entry[5])
        return self._file.read(entry[6])

    def save_if_incomplete(self) -> None:
        """Write an image of what is imported now, and what is here already, if that is more than this one holds."""
        modules = {name: module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "pybpf"}
        missing = [module for name, module in modules.items() if self._lacks(name, module) and _source(module)]
        unseen = [name for name in self.used if self.entries[name][4] is None]
        if (missing or unseen) and not sys.dont_write_bytecode:
            known = {name: (entry[:5], self._bytes(entry)) for name, entry in self.entries.items()}
            for module in missing:
                found = _found(module)
                if found is not None:
                    known[module.__name__] = found
            for name in unseen:
                facts, code = known[name]
                known[name] = (*facts[:4], self.used[name]), code
            _write(known)

    def _lacks(self, name: str, module: ModuleType) -> bool:
        return name not in self.entries or len(getattr(module, "__kept__", ())) > self._kept.get(name, 0)


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


def _found(module: ModuleType) -> tuple[Facts, bytes] | None:
    """What there is to know of an imported module, and its code."""
    source = _source(module)
    try:
        status = os.stat(source)
        loader: Any = module.__spec__.loader if module.__spec__ else None
        code = loader.get_code(module.__name__)
    except (OSError, AttributeError, ImportError):
        return None
    facts = source, hasattr(module, "__path__"), status.st_mtime_ns, status.st_size, None
    return facts, marshal.dumps((code, getattr(module, "__kept__", {})))


def _write(known: dict[str, tuple[Facts, bytes]]) -> None:
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
