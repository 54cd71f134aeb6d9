"""The code of pybpf's modules in one file, so that a cold start reads one file instead of a hundred.

Python takes about 0.3 ms to find, check and read a module's `.pyc`, and a compilation imports a hundred of them: longer
than the compilation itself. An image is to all of them what a `.pyc` is to one: their code objects, kept in
`__pycache__`, each used only while its source has the size and time of change that it had. Everything else (a module
that is not in it, or has changed) is imported as usual. `pybpf build` writes the image after its own work when some
module did not come from it; where it can't be written nothing is lost but time. It may be deleted at any moment.

The modules that every build so far needed lie together, and are read at once: their codes then share their names and
constants. Each of the others is read when it is imported. A build that does without one of those that lie together
writes the image once more. A module may have a dict `__kept__` of what follows from its source alone and takes time to
make: that is kept with its code.

While an image is in use, `import_` stands for Python's own `__import__`, which takes ten times as long to say that a
module is there already, and as long to import one from here as all the rest of its import. It has no locks: once the
process has a second thread, all is left to Python.

The file: _MAGIC, the lengths of the index and of the codes that lie together in 4 bytes each, the index, those codes,
the other codes; all as marshal writes them.
"""

from __future__ import annotations

import builtins
import marshal
import os
import sys
from _frozen_importlib import ModuleSpec  # importlib.machinery has it too, but takes longer to import than the image
from _io import FileIO  # so has io
from _thread import _count as other_threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence, Set
    from types import CodeType, ModuleType
    from typing import Any

    # source file, whether it is a package, its time of change in ns, its size in bytes
    Facts = tuple[str, bool, int, int]
    # and which of the codes that lie together is its own, and 0; or where among the others it is, and how many bytes
    Entry = tuple[str, bool, int, int, int, int]
    Code = tuple[CodeType, dict[Any, Any]]  # a module's, and what it keeps

__all__ = ["Image", "install", "path_of_image"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_MAGIC = b"pybpf5"
_HEAD = len(_MAGIC) + 8
_import = builtins.__import__


def path_of_image() -> str:
    """The image's file, one for each kind of interpreter, as for a `.pyc`."""
    optimised = f".opt-{sys.flags.optimize}" if sys.flags.optimize else ""
    return os.path.join(_PACKAGE, "__pycache__", f"modules.{sys.implementation.cache_tag}{optimised}.image")


class Image:
    """Finder and loader of the modules in an image. `used` has those that came from it, and how much each had kept."""

    def __init__(
        self, entries: dict[str, Entry], together: Sequence[Code] = (), file: FileIO | None = None, start: int = 0
    ) -> None:
        self.entries = entries
        self.used: dict[str, int] = {}
        self._together = together
        self._common = {name for name, entry in entries.items() if not entry[5]}
        self._others = entries.keys() - self._common
        self._path = path_of_image()
        self._file = file
        self._start = start

    def import_(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] | None = (), level: int = 0
    ) -> Any:
        """What Python's own `__import__` does."""
        __tracebackhide__ = True
        modules = sys.modules
        if fromlist and not level and not other_threads():
            module = modules.get(name) or self._make(name)
            if module is not None:
                known = module.__dict__
                if "__path__" not in known:
                    return module
                for wanted in fromlist:
                    if wanted not in known and self._make(f"{name}.{wanted}") is None:
                        break
                else:
                    return module
        return _import(name, globals, locals, fromlist or (), level)

    def _make(self, name: str) -> ModuleType | None:
        """Import a module that is in the image and not there yet; None, and nothing done, where Python has to."""
        if name not in self.entries or name in sys.modules:
            return None
        parent, _, last = name.rpartition(".")
        if parent not in sys.modules:
            self.import_(parent, fromlist=("__path__",))
            if name in sys.modules:
                return sys.modules[name]
        spec = self.find_spec(name)
        if spec is None:
            return None
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
        except BaseException:
            del sys.modules[name]
            raise
        setattr(sys.modules[parent], last, module)
        return module  # type: ignore[no-any-return]

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
        code, kept = self._code(self.entries[module.__name__])
        exec(code, module.__dict__)
        if kept:
            module.__dict__["__kept__"].update(kept)
        self.used[module.__name__] = len(kept)

    def get_code(self, name: str) -> CodeType:
        return self._code(self.entries[name])[0]

    def _code(self, entry: Entry) -> Code:
        at, length = entry[4:]
        if not length:
            return self._together[at]
        assert self._file is not None
        self._file.seek(self._start + at)
        code: Code = marshal.loads(self._file.read(length))
        return code

    def save_if_incomplete(self) -> None:
        """Write an image of what is imported now, and what is here already, if this one holds less, or too much."""
        modules = {
            name: module
            for name, module in list(sys.modules.items())
            if name.partition(".")[0] == "pybpf" and _source(module)
        }
        missing = [module for name, module in modules.items() if self._lacks(name, module)]
        if sys.dont_write_bytecode or not (missing or self._common - modules.keys()):
            return
        known = {name: (entry[:4], self._code(entry)) for name, entry in self.entries.items()}
        for module in missing:
            found = _found(module)
            if found is not None:
                known[module.__name__] = found
        _write(known, modules.keys() - self._others)

    def _lacks(self, name: str, module: ModuleType) -> bool:
        return name not in self.entries or len(getattr(module, "__kept__", ())) > self.used.get(name, 0)


def install() -> Image:
    """Read the image, if there is one, and let imports use it."""
    image = Image({})
    try:
        file = FileIO(path_of_image())
        head = file.read(_HEAD)
        if head.startswith(_MAGIC):
            length = int.from_bytes(head[-8:-4], "little")
            start = int.from_bytes(head[-4:], "little")
            entries, together = marshal.loads(file.read(length)), marshal.loads(file.read(start))
            image = Image(entries, together, file, _HEAD + length + start)
    except (OSError, ValueError, EOFError, TypeError):
        pass
    if image.entries:
        sys.meta_path.insert(0, image)
        builtins.__import__ = image.import_
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


def _found(module: ModuleType) -> tuple[Facts, Code] | None:
    """What there is to know of an imported module, and its code."""
    source = _source(module)
    try:
        status = os.stat(source)
        loader: Any = module.__spec__.loader if module.__spec__ else None
        code = loader.get_code(module.__name__)
    except (OSError, AttributeError, ImportError):
        return None
    facts = source, hasattr(module, "__path__"), status.st_mtime_ns, status.st_size
    return facts, (code, getattr(module, "__kept__", {}))


def _write(known: dict[str, tuple[Facts, Code]], common: Set[str]) -> None:
    """Write an image of these modules, of which the common ones lie together."""
    path = path_of_image()
    beside = f"{path}.{os.getpid()}"
    index: dict[str, Entry] = {}
    together: list[Code] = []
    others: list[bytes] = []
    at = 0
    for name, (facts, code) in known.items():
        if name in common:
            index[name] = (*facts, len(together), 0)
            together.append(code)
        else:
            others.append(marshal.dumps(code))
            index[name] = (*facts, at, len(others[-1]))
            at += len(others[-1])
    head = marshal.dumps(index), marshal.dumps(together)
    try:
        with open(beside, "wb") as file:
            file.writelines([_MAGIC, *[len(text).to_bytes(4, "little") for text in head], *head, *others])
        os.replace(beside, path)
    except OSError:
        if os.path.exists(beside):
            os.unlink(beside)
