"""The kernel's types as a stub for type checkers: KernelTypes in, the text of `kernel.pyi` out.

    class file(KernelStruct):
        f_count: _int
        f_path: path
        f_inode: inode

Integers are `int`, pointers to structs the struct itself, `char[16]` a Text, other pointers `Pointer[...]`. Members of
anonymous structs are those of the outer one, as in C. A name that a checker would call private, since it begins with an
underscore, is told to it by a `__getattr__`. Names that are Python's keywords get an underscore behind.

pyright gives up on files of more than some 30,000 lines, so the stub of a whole kernel is a package of several files.
"""

from __future__ import annotations

from keyword import iskeyword
from re import search

from pybpf.compiler.btf import types as t
from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.kernel import KernelType
from pybpf.compiler.schema.types import ArrayType, BoolType, EnumType, IntType, PtrType, TextType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pybpf.compiler.btf.kernel import KernelTypes
    from pybpf.compiler.schema.types import Type

__all__ = ["stub", "stub_files"]

_IMPORTS = (
    "from builtins import bool as _bool",
    "from builtins import int as _int",
    "from builtins import str as _str",
    "from enum import IntEnum as _IntEnum",
    "from typing import Any as _Any",
    "from typing import Literal as _L",
    "",
    "import pybpf.kernel as _k",
    "from pybpf.stdlib.kernel.classes import KernelStruct as _KernelStruct",
    "from pybpf.stdlib.kernel.classes import Pointer as _Pointer",
    "from pybpf.stdlib.types import Array as _Array",
    "from pybpf.stdlib.types import Text as _Text",
)

_OWN = '''
def use(path: _str) -> None:
    """Take kernel types from this file from now on: raw BTF, or an ELF file with a section .BTF."""

def __getattr__(name: _str) -> _Any: ...  # pyright: ignore[reportIncompleteStub]
'''

_NOT_MEMBERS = {"name", "value", "real", "imag", "mro", "numerator", "denominator", "conjugate"}  # of an IntEnum
_NAMES = {"use"}


_PART = 8_000  # lines of a file


def stub(sources: Sequence[KernelTypes], origin: str) -> str:
    """The stub of all names in `sources`; where two have a name the first counts. `origin` is told at the top."""
    texts = _Stub(sources, "").texts()
    return _file(origin, _OWN + "".join(texts.values()))


def stub_files(sources: Sequence[KernelTypes], origin: str) -> dict[str, str]:
    """As `stub`, in several files: path below the directory of the package `pybpf` -> text."""
    parts: list[list[str]] = [[]]
    made: list[list[str]] = [[]]
    lines = 0
    for label, text in _Stub(sources, "_k.").texts().items():
        if lines > _PART:
            parts.append([])
            made.append([])
            lines = 0
        parts[-1].append(label)
        made[-1].append(text)
        lines += text.count("\n")
    files = {}
    exports = ""
    for number, (labels, texts) in enumerate(zip(parts, made)):
        files[f"kernel/part{number:02}.pyi"] = _file(origin, "".join(texts))
        names = "".join([f"    {label} as {label},\n" for label in labels])
        exports += f"from pybpf.kernel.part{number:02} import (\n{names})\n"
    files["kernel/__init__.pyi"] = _file(origin, exports + _OWN)
    return files


def _file(origin: str, text: str) -> str:
    """A whole file: a docstring, the imports that the text uses, the text."""
    imports = [line for line in _IMPORTS if not line or search(rf"\b{line.rpartition(' ')[2]}\b", text)]
    return f'"""The kernel\'s types, as type checkers see them. {origin}"""\n\n' + "\n".join(imports) + f"\n{text}"


class _Stub:
    """Makes the texts. `prefix` is what stands before the names of types of the module itself."""

    def __init__(self, sources: Sequence[KernelTypes], prefix: str) -> None:
        self.sources = sources
        self.prefix = prefix
        self.known: dict[str, Type] = {}
        self.enumerators: dict[str, str] = {}  # name -> its type's text

    def texts(self) -> dict[str, str]:
        """What each name is declared as, in alphabetical order."""
        for types in self.sources:
            for kinds in ((t.Struct, t.Union), (t.Enum, t.Enum64), (t.Typedef,), (t.Fwd,)):
                for number, name in types.btf.names(*kinds):
                    if name not in self.known and name.isidentifier() and name not in _NAMES:
                        self.known[name] = types.of(number)
        made = {_label(name): self._named(name, self.known[name]) for name in sorted(self.known)}
        for types in self.sources:
            for number, name in types.btf.names(t.Enum, t.Enum64):
                kind = types.of(number)
                if not name and isinstance(kind, EnumType):
                    for each, _ in kind.members:
                        self.enumerators.setdefault(each, "_int")
        for name in sorted(self.enumerators):
            if name not in self.known and not name.startswith("_") and not iskeyword(name):
                made[name] = f"{name}: {self.enumerators[name]}\n"
        return {label: text for label, text in made.items() if text}

    def _named(self, name: str, kind: Type) -> str:
        label = _label(name)
        if isinstance(kind, KernelType):
            if kind.name != name:  # a typedef of a struct that has a name of its own
                return f"{label} = {self.prefix}{_label(kind.name)}\n" if kind.name in self.known else ""
            return "\n" + self._struct(label, kind, "")
        if isinstance(kind, EnumType):
            return self._enum(label, kind) if kind.name == name else f"{label} = {self.prefix}{_label(kind.name)}\n"
        if isinstance(kind, IntType):
            return f"{label} = _int\n"
        return f"{label} = _bool\n" if isinstance(kind, BoolType) else ""

    def _enum(self, label: str, kind: EnumType) -> str:
        lines = [f"\nclass {label}(_IntEnum):\n"]
        for name, value in kind.members:
            self.enumerators.setdefault(name, self.prefix + label)
            if not name.startswith("_") and not iskeyword(name) and name not in _NOT_MEMBERS:
                lines.append(f"    {name} = {value}\n")
        return "".join(lines if lines[1:] else [f"\nclass {label}(_int): ...\n"])

    def _struct(self, label: str, kind: KernelType, indent: str) -> str:
        try:
            members = self._members(kind)
        except DeclarationTypeError:  # only declared: whoever has the members tells
            return (
                f"{indent}class {label}(_KernelStruct):\n{indent}    def __getattr__(self, name: _str) -> _Any: ...\n"
            )
        inner, plain, private = "", "", {}
        for name, member in members.items():
            text, nested = self._annotation(member, name, indent + "    ", set(members))
            inner += nested
            if name.startswith("_"):
                private[name] = text
            else:
                clash = "  # type: ignore[assignment]" if name in ("at", "at_user") else ""  # KernelStruct has them
                plain += f"{indent}    {name + '_' if iskeyword(name) else name}: {text}{clash}\n"
        if private:
            names = ", ".join([f'"{name}"' for name in private])
            texts = set(private.values())
            text = texts.pop() if len(texts) == 1 else "_Any"
            plain += f"{indent}    def __getattr__(self, name: _L[{names}]) -> {text}: ...  # type: ignore[misc]\n"
        if not inner and not plain:
            return f"{indent}class {label}(_KernelStruct): ...\n"
        return f"{indent}class {label}(_KernelStruct):\n{inner}{plain}"

    def _members(self, kind: KernelType) -> dict[str, Type]:
        """Names and types of the members, those of anonymous ones among them; of two alike the first."""
        found: dict[str, Type] = {}
        for member in kind.members:
            if member.name:
                if member.name.isidentifier() and not member.name.startswith("__cacheline_group"):  # of no size
                    found.setdefault(member.name, member.type)
            elif isinstance(member.type, KernelType):
                for name, inner in self._members(member.type).items():
                    found.setdefault(name, inner)
        return found

    def _annotation(self, kind: Type, name: str, indent: str, taken: set[str]) -> tuple[str, str]:
        """What a member's type is called, and the class that is to stand before it for that."""
        if isinstance(kind, IntType):
            return "_int", ""
        if isinstance(kind, BoolType):
            return "_bool", ""
        if isinstance(kind, TextType):
            return f"_Text[_L[{kind.size}]]", ""
        if isinstance(kind, ArrayType):
            element, nested = self._annotation(kind.element, name, indent, taken)
            return f"_Array[{element}, _L[{kind.length}]]", nested
        if isinstance(kind, EnumType):
            return self._reference(kind.name, taken) if kind.name in self.known else "_int", ""
        if isinstance(kind, PtrType):
            if isinstance(kind.pointee, KernelType):
                return self._annotation(kind.pointee, name, indent, taken)
            if kind.pointee is None:
                return "_Pointer[None]", ""
            if isinstance(kind.pointee, TextType):
                return "_Pointer[_str]", ""
            text, nested = self._annotation(kind.pointee, name, indent, taken)
            return f"_Pointer[{text}]", nested
        if isinstance(kind, KernelType):
            if kind.name:
                return self._reference(kind.name, taken) if kind.name in self.known else "_Any", ""
            label = f"_in_{name}"
            return label, self._struct(label, kind, indent)
        return "_Any", ""

    def _reference(self, name: str, taken: set[str]) -> str:
        """A type's name, which inside a class that has a member of that name would mean the member."""
        if not isinstance(self.known[name], (KernelType, EnumType)):
            return "_Any"
        label = _label(name)
        return f"_k.{label}" if label in taken or self.prefix else label


def _label(name: str) -> str:
    """What a type is called in the stub: private names and keywords under another name."""
    if name.startswith("_"):
        return f"private{name}"
    return name + "_" if iskeyword(name) else name
