"""The text of C declarations -> records of what they declare. Positions are lines of that text, from 1.

Comments are dropped. Of the preprocessor, `#define NAME number` makes a constant, `#include` and include guards are
passed over, and all else is refused, since what it leaves in or out can't be known here.
"""

from __future__ import annotations

import os
from functools import lru_cache
from re import DOTALL, compile, match
from typing import TYPE_CHECKING, Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.compiler.schema.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CArray", "CEnum", "CMember", "CName", "CPointer", "CRecord", "Declared", "parse", "refuse"]


class CName(Record):
    """A type by its name: `unsigned int`, `__u32`, `struct x`, `enum e`; `tag` is "", "struct", "union" or "enum"."""

    name: str
    tag: str
    line: int


class CPointer(Record):
    """A pointer; `target` is None for functions."""

    target: Any


class CArray(Record):
    """`length` is None for a flexible array."""

    element: Any
    length: int | None


class CMember(Record):
    """A member. `name` is "" for anonymous structs and unions, and for gaps between bit fields."""

    name: str
    type: Any
    line: int
    bits: int | None = None
    align: int = 0


class CRecord(Record, eq=False):
    """A struct or union with its members; `name` is its tag, "" for none."""

    name: str
    union: bool
    members: list[CMember]
    line: int
    packed: bool = False
    align: int = 0


class CEnum(Record, eq=False):
    """An enumeration."""

    name: str
    values: list[tuple[str, int]]
    line: int


class Declared(Record):
    """Everything in order: (name, what it stands for). A constant is an int."""

    items: list[tuple[str, Any]]


_COMMENT = compile(r"/\*.*?\*/|//[^\n]*", DOTALL)
_WORDS = {  # as C reads them, whatever their order
    "char": "char", "signed char": "i8", "char unsigned": "u8", "short": "i16", "short unsigned": "u16", "int": "i32",
    "unsigned": "u32", "int unsigned": "u32", "long": "i64", "long unsigned": "u64", "long long": "i64",
    "long long unsigned": "u64", "_Bool": "bool", "bool": "bool", "void": "void", "float": "float", "double": "float",
    "double long": "float", "__int128": "int128", "__int128 unsigned": "int128",
}  # fmt: skip


def refuse(text: str, line: int, title: str, help: str = "") -> DeclarationTypeError:
    """The error for a line of C, which it shows."""
    lines = text.split("\n")
    shown = " ".join(lines[line - 1].split()) if 0 < line <= len(lines) else ""
    return DeclarationTypeError(f"line {line} of the C declarations, `{shown}`: {title}", help=help)


def parse(text: str) -> Declared:
    """What the text declares. Raises DeclarationTypeError."""
    return _Reader(text).read()


@lru_cache(1)
def _grammar() -> Lark:
    with open(os.path.join(os.path.dirname(__file__), "c.lark"), encoding="utf-8") as file:
        return Lark(file.read(), parser="lalr", start=["start", "expr"], propagate_positions=True)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.constants: dict[str, int] = {}
        self.pending: dict[str, tuple[str, int]] = {}  # #defines that are not read yet
        self.items: list[tuple[str, Any]] = []
        self.sizes: dict[str, Any] = {}

    def read(self) -> Declared:
        plain = _COMMENT.sub(lambda found: "\n" * found[0].count("\n") or " ", self.text)
        plain = self._preprocess(plain)
        for item in self._tree(plain, "start", 0).children:
            if isinstance(item, Tree):
                self._item(item)
        for name in self.pending:
            value = self._constant(name, 0, quiet=True)
            if value is not None:
                self.items.append((name, value))
        return Declared(self.items)

    def _tree(self, text: str, start: str, line: int) -> Any:
        try:
            return _grammar().parse(text, start=start)
        except UnexpectedInput as error:
            at = getattr(error, "line", -1)
            token = getattr(error, "token", None)
            if at < 1 or (token is not None and token.type == "$END"):
                at = text.rstrip().count("\n") + 1
                raise refuse(self.text, at + line, "ends too early", "each declaration ends with a semicolon") from None
            there = text.split("\n")[at - 1][getattr(error, "column", 1) - 1 :]
            word = match(r"\w+|.", there)
            raise refuse(self.text, at + line, f"`{word[0] if word else there}` is not expected here") from None

    def _preprocess(self, text: str) -> str:
        """The text without its lines for the preprocessor."""
        lines = text.replace("\\\n", "  ").split("\n") if "\\\n" not in text else self._joined(text)
        guard, depth = "", 0
        for number, line in enumerate(lines, 1):
            word = match(r"\s*#\s*(\w+)\s*(.*?)\s*$", line)
            if not word:
                continue
            lines[number - 1] = ""
            kind, rest = word[1], word[2]
            if kind == "define":
                found = match(r"(\w+)(\(?)\s*(.*)$", rest)
                if (found and not found[2]) or (found and rest[len(found[1])] != "("):
                    value = rest[len(found[1]) :].strip()
                    if value:
                        self.pending[found[1]] = value, number
            elif kind == "ifndef" and not guard:
                guard, depth = rest, 1
                if not any(match(rf"\s*#\s*define\s+{rest}\s*$", other) for other in lines[number : number + 3]):
                    raise self._condition(number)
            elif kind == "endif" and depth:
                depth = 0
            elif kind == "include" or (kind == "pragma" and rest == "once"):
                continue
            else:
                raise self._condition(number)
        return "\n".join(lines)

    def _joined(self, text: str) -> list[str]:
        """Lines that a backslash continues, joined; as many empty ones follow."""
        made: list[str] = []
        joined = 0
        for line in text.split("\n"):
            if joined:
                made[-joined] = made[-joined][:-1] + " " + line
                made.append("")
                joined = joined + 1 if line.endswith("\\") else 0
            else:
                made.append(line)
                joined = 1 if line.endswith("\\") else 0
        return made

    def _condition(self, number: int) -> DeclarationTypeError:
        return refuse(self.text, number, "the preprocessor is not run here", "paste the lines that apply")

    # --- declarations

    def _item(self, item: Tree[Token]) -> None:
        if item.data == "declaration":
            kind = self._spec(item.children[0])
            if isinstance(kind, (CRecord, CEnum)):
                if isinstance(kind, CRecord) and not kind.name:
                    raise refuse(self.text, kind.line, "declares nothing", "give the struct a name")
                if isinstance(kind, CRecord) or kind.name:
                    self.items.append((kind.name, kind))
            elif not (isinstance(kind, CName) and kind.tag):
                raise refuse(self.text, item.meta.line, "declares nothing", "declare structs, unions, enums, typedefs")
            return
        kind = self._spec(item.children[0])
        attributes = [child for child in item.children[1:] if isinstance(child, Tree) and child.data == "attribute"]
        for declarator in item.children[1:]:
            if declarator not in attributes:
                name, made = self._declarator(declarator, kind)
                if isinstance(made, CRecord):
                    self._attributes(made, attributes)
                    if not made.name:
                        made.name = name
                if isinstance(made, CEnum) and not made.name:
                    made.name = name
                self.items.append((name, made))

    def _spec(self, tree: Any) -> Any:
        base = next(child for child in tree.children if isinstance(child, Tree))
        line = base.meta.line
        if base.data == "words":
            words = " ".join(sorted(str(word) for word in base.children if word != "int" or len(base.children) == 1))
            words = " ".join([word for word in words.split() if word != "signed" or words == "char signed"])
            found = _WORDS.get(words or "int") or _WORDS.get(" ".join(reversed(words.split())))
            if found is None:
                raise refuse(self.text, line, f"`{' '.join(map(str, base.children))}` is no type")
            return CName(found, "", line)
        if base.data == "named":
            return CName(str(base.children[0]), "", line)
        if base.data == "tagged":
            return CName(str(base.children[-1]), str(base.children[0]), line)
        if base.data == "enum_named":
            return CName(str(base.children[0]), "enum", line)
        return self._enum(base) if base.data == "enum" else self._record(base)

    def _record(self, tree: Any) -> CRecord:
        names = [child for child in tree.children if isinstance(child, Token) and child.type == "NAME"]
        name = str(names[0]) if names else ""
        made = CRecord(name, tree.children[0] == "union", [], tree.meta.line)
        for child in tree.children[1:]:
            if isinstance(child, Tree) and child.data == "member":
                made.members += self._member(child)
        self._attributes(made, [c for c in tree.children[1:] if isinstance(c, Tree) and c.data in _ATTRIBUTES])
        if name:
            self.sizes[f"{tree.children[0]} {name}"] = made
        return made

    def _member(self, tree: Any) -> Iterator[CMember]:
        kind = self._spec(tree.children[0])
        slots = [child for child in tree.children[1:] if child is not None]
        if not slots:
            if not isinstance(kind, CRecord):
                raise refuse(self.text, tree.meta.line, "a member without a name")
            yield CMember("", kind, tree.meta.line)
        for slot in slots:
            line = slot.meta.line
            if slot.data == "gap":
                yield CMember("", kind, line, self._number(slot.children[0], line))
                continue
            name, made = self._declarator(slot.children[0], kind)
            bits = self._number(slot.children[1], line) if slot.data == "bits" else None
            align = 0
            for child in slot.children[1:]:
                if isinstance(child, Tree) and child.data in _ATTRIBUTES:
                    for word, value in self._properties(child, line):
                        if word == "aligned":
                            align = value or 16
                        else:
                            raise refuse(self.text, line, f"the attribute `{word}` of a member is not known here")
            yield CMember(name, made, line, bits, align)

    def _declarator(self, tree: Any, kind: Any) -> tuple[str, Any]:
        """The name that a declarator declares, and its type; `kind` is what stands before it."""
        if tree.data == "name":
            return str(tree.children[0]), kind
        inner = tree.children[-1] if tree.data == "pointer" else tree.children[0]
        if tree.data == "pointer":
            return self._declarator(inner, CPointer(kind))
        if tree.data == "function":
            return self._declarator(inner, _FUNCTION)
        size = tree.children[1]
        if size is not None:
            length = self._number(size, tree.meta.line)
            if length < 0:
                raise refuse(self.text, tree.meta.line, f"an array of {length} elements")
            return self._declarator(inner, CArray(kind, length))
        return self._declarator(inner, CArray(kind, None))

    def _attributes(self, made: CRecord, trees: list[Any]) -> None:
        for tree in trees:
            for word, value in self._properties(tree, tree.meta.line):
                if word == "packed":
                    made.packed = True
                elif word == "aligned":
                    made.align = value or 16
                elif word not in ("preserve_access_index", "designated_init", "randomize_layout", "may_alias"):
                    raise refuse(self.text, tree.meta.line, f"the attribute `{word}` is not known here")

    def _properties(self, tree: Any, line: int) -> Iterator[tuple[str, int]]:
        if tree.data == "packed":
            yield "packed", 0
            return
        for child in tree.children:
            if child is not None:
                word = str(child.children[0]).strip("_")
                value = child.children[1] if len(child.children) > 1 else None
                yield word, 0 if value is None or word not in ("aligned",) else self._number(value, line)

    def _enum(self, tree: Any) -> CEnum:
        name = next((str(child) for child in tree.children if isinstance(child, Token)), "")
        values: list[tuple[str, int]] = []
        following = 0
        for child in tree.children:
            if isinstance(child, Tree) and child.data == "enumerator":
                label, value = str(child.children[0]), child.children[1]
                following = following if value is None else self._number(value, child.meta.line)
                values.append((label, following))
                self.constants[label] = following
                following += 1
        made = CEnum(name, values, tree.meta.line)
        if not name:
            self.items += values
        return made

    # --- constant expressions

    def _number(self, tree: Any, line: int) -> int:
        if tree.data == "number":
            text = str(tree.children[0]).rstrip("uUlL")
            return int(text, 8) if match(r"0[0-7]+$", text) else int(text, 0)
        if tree.data == "character":
            text = str(tree.children[0])[1:-1]
            return ord(text.encode().decode("unicode_escape"))
        if tree.data == "constant":
            found = self._constant(str(tree.children[0]), line)
            assert found is not None
            return found
        if tree.data == "sizeof":
            raise refuse(self.text, line, "sizeof is not known here", "write the number")
        values = [self._number(child, line) for child in tree.children]
        if tree.data in ("div", "mod") and not values[1]:
            raise refuse(self.text, line, "a division by zero")
        return int(_OPERATORS[tree.data](*values))

    def _constant(self, name: str, line: int, quiet: bool = False) -> int | None:
        if name not in self.constants:
            if name not in self.pending:
                raise refuse(self.text, line, f"`{name}` is no constant that is known here", f"#define {name} ...")
            text, at = self.pending[name]
            self.pending[name] = "", at  # should it name itself
            try:
                self.constants[name] = self._number(self._tree(text, "expr", at - 1), at)
            except DeclarationTypeError:
                self.pending[name] = text, at
                if quiet:
                    return None  # a macro for something else
                raise
            self.pending[name] = text, at
        return self.constants[name]


_FUNCTION = CPointer(None)
_ATTRIBUTES = ("attribute", "packed")
_OPERATORS: dict[str, Any] = {
    "or_": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "and_": lambda a, b: a & b,
    "lshift": lambda a, b: a << b,
    "rshift": lambda a, b: a >> b,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),  # C cuts off towards zero
    "mod": lambda a, b: a - abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) * b,
    "neg": lambda a: -a,
    "invert": lambda a: ~a,
    "choice": lambda a, b, c: b if a else c,
}
