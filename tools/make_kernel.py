"""Write the bundle of kernel types, stdlib/data/kernel/vmlinux.btf, its index and its stub, from kernels' BTF.

    python tools/make_kernel.py 6.18 /sys/kernel/btf/vmlinux [other.btf ...]

The first argument is the release that the first file is of; the other files supply what it lacks (drivers and features
that its configuration leaves out). What goes in is said by tools/kernel_roots.txt: structs with all that lies inside
them by value. A struct that is only pointed to is declared, unless it is in for another reason; pointers to functions
become `void *`, and qualifiers are dropped. The result is plain BTF, which `bpftool btf dump file` shows.
"""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NoReturn

from pybpf.compiler.btf import types as t
from pybpf.compiler.btf.decode import Btf, decode_btf
from pybpf.compiler.btf.encode import btf_section, encode_types
from pybpf.compiler.btf.kernel import KernelTypes
from pybpf.compiler.btf.strings import StringTable
from pybpf.compiler.schema.errors import DeclarationTypeError
from pybpf.stdlib.kernel.functions import kfuncs
from pybpf.stdlib.kernel.stub import stub

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "stdlib" / "data" / "kernel"

QUALIFIERS = (t.Const, t.Volatile, t.Restrict)
NAMED = (t.Struct, t.Union)
Key = tuple[int, int]  # which file, the type's id in it


class Bundle:
    """The types chosen so far; `types` grows, and a type's place in it is its id."""

    def __init__(self, sources: list[Btf]) -> None:
        self.sources = sources
        self.wanted: dict[Key, None] = {}  # structs and unions that are in with their members
        self.types: list[t.BtfType] = [t.VOID]
        self.ids: dict[object, int] = {}  # a Key, or a type that was made, -> its id

    def item(self, key: Key) -> t.BtfType:
        return self.sources[key[0]][key[1]]

    def canonical(self, key: Key) -> Key:
        """The same named struct or enum in the first file that has it, without qualifiers around it."""
        item = self.item(key)
        while isinstance(item, QUALIFIERS):
            key = key[0], item.type
            item = self.item(key)
        if isinstance(item, (*NAMED, t.Fwd)) and item.name:
            kind = (t.Union if item.union else t.Struct) if isinstance(item, t.Fwd) else type(item)
            if isinstance(item, t.Fwd) or self.sources[key[0]].find(item.name, kind) == key[1]:
                return self.find(item.name, kind) or key
        if isinstance(item, (t.Enum, t.Enum64)) and item.name:
            return self.find(item.name, t.Enum, t.Enum64) or key
        return key

    def find(self, name: str, *kinds: type[t.BtfType]) -> Key | None:
        for place, source in enumerate(self.sources):
            for kind in kinds:
                found = source.find(name, kind)
                if found:
                    return place, found
        return None

    # --- what is in

    def want(self, key: Key) -> None:
        """Take in a type with what lies inside it by value."""
        key = self.canonical(key)
        item = self.item(key)
        if isinstance(item, NAMED):
            if key not in self.wanted:
                self.wanted[key] = None
                for member in item.members:
                    self.want((key[0], member.type))
        elif isinstance(item, t.Array):
            self.want((key[0], item.element))
        elif isinstance(item, (t.Typedef, t.TypeTag)):
            self.want((key[0], item.type))
        elif isinstance(item, t.Ptr):
            target = self.pointee((key[0], item.type))
            if target is not None and not getattr(self.item(target), "name", ""):
                self.want(target)  # of a struct without a name: nothing else leads to it

    def pointee(self, key: Key) -> Key | None:
        """What a pointer leads to: a struct, through typedefs; None for anything else."""
        key = self.canonical(key)
        item = self.item(key)
        while isinstance(item, (t.Typedef, t.TypeTag)):
            key = self.canonical((key[0], item.type))
            item = self.item(key)
        return key if isinstance(item, NAMED) else None

    def neighbours(self, key: Key) -> list[Key]:
        """The structs that the members of a struct point to, those inside it included."""
        key = self.canonical(key)
        item = self.item(key)
        found: list[Key] = []
        if isinstance(item, NAMED):
            for member in item.members:
                found += self.neighbours((key[0], member.type))
        elif isinstance(item, t.Array):
            found += self.neighbours((key[0], item.element))
        elif isinstance(item, t.Typedef):
            found += self.neighbours((key[0], item.type))
        elif isinstance(item, t.Ptr):
            target = self.pointee((key[0], item.type))
            if target is not None:
                found.append(target)
        return found

    # --- how it is written

    def id(self, key: Key) -> int:
        """The id of a type in the bundle, which is added at need."""
        key = self.canonical(key)
        if key[1] == 0:
            return 0
        if key in self.ids:
            return self.ids[key]
        item, place = self.item(key), key[0]
        if isinstance(item, NAMED):
            if key not in self.wanted:
                if item.name:
                    return self.add(t.Fwd(item.name, isinstance(item, t.Union)))
                self.want(key)
            number = self.ids[key] = len(self.types)
            self.types.append(t.VOID)
            members = [t.Member(m.name, self.id((place, m.type)), m.offset, m.bits) for m in item.members]
            self.types[number] = type(item)(item.name, item.size, tuple(members))
            return number
        number = self.ids[key] = self.add(self.rewritten(place, item))
        return number

    def rewritten(self, place: int, item: t.BtfType) -> t.BtfType:
        """A type with the bundle's ids in it."""
        if isinstance(item, t.Ptr):
            target = self.item(self.canonical((place, item.type))) if item.type else t.VOID
            return t.Ptr(0 if isinstance(target, t.FuncProto) else self.id((place, item.type)))
        if isinstance(item, t.Array):
            return t.Array(self.id((place, item.element)), self.id((place, item.index)), item.length)
        if isinstance(item, t.Typedef):
            return t.Typedef(item.name, self.id((place, item.type)))
        if isinstance(item, t.TypeTag):
            return t.TypeTag(item.tag, self.id((place, item.type)), item.attribute)
        if isinstance(item, t.FuncProto):
            params = [t.Parameter(p.name, self.id((place, p.type))) for p in item.params]
            return t.FuncProto(self.id((place, item.result)), tuple(params))
        if isinstance(item, t.Func):
            return t.Func(item.name, self.id((place, item.type)), item.linkage)
        assert isinstance(item, (t.Int, t.Enum, t.Enum64, t.Fwd, t.Float)), item
        return item

    def add(self, item: t.BtfType) -> int:
        number = self.ids.get(item)
        if number is None:
            number = self.ids[item] = len(self.types)
            self.types.append(item)
        return number

    def function(self, name: str) -> None:
        """A function's signature; of several of the name the kfunc, else the first."""
        for place, source in enumerate(self.sources):
            found = source.find_all(name, t.Func)
            if found:
                tagged = {tag: self.tagged(place, tag) for tag in ("bpf_kfunc", "bpf_fastcall")}
                number = next((n for n in found if n in tagged["bpf_kfunc"]), found[0])
                made = self.id((place, number))
                for tag, numbers in tagged.items():
                    if number in numbers or (tag == "bpf_kfunc" and name in KFUNCS):  # 6.1 and 6.12 are without tags
                        self.add(t.DeclTag(tag, made))
                return

    def tagged(self, place: int, tag: str) -> set[int]:
        found = [self.sources[place][number] for number in self.sources[place].find_all(tag, t.DeclTag)]
        return {item.type for item in found if isinstance(item, t.DeclTag) and item.index < 0}

    def raw_tracepoints(self, without: list[str]) -> None:
        """Signatures of raw tracepoints: pointers to functions that stay as they are."""
        seen: dict[str, Key] = {}
        for place, source in enumerate(self.sources):
            for number, name in source.names(t.Typedef):
                if name.startswith("btf_trace_") and not any(fnmatchcase(name[10:], pattern) for pattern in without):
                    seen.setdefault(name, (place, number))
        for name in sorted(seen):
            place, number = seen[name]
            typedef = self.sources[place][number]
            pointer = self.sources[place][typedef.type] if isinstance(typedef, t.Typedef) else None
            if isinstance(pointer, t.Ptr):
                signature = self.add(self.rewritten(place, self.sources[place][pointer.type]))
                self.add(t.Typedef(name, self.add(t.Ptr(signature))))

    def enums(self, patterns: list[str]) -> None:
        for place, source in enumerate(self.sources):
            for pattern in patterns:
                names = [n for n, name in source.names(t.Enum, t.Enum64) if fnmatchcase(name, pattern)]
                for number in names:
                    self.id((place, number))
                if not names and not any(other.find_enumerator(pattern) for other in self.sources[:place]):
                    number = source.find_enumerator(pattern)
                    if number:
                        self.id((place, number))


KFUNCS = set(kfuncs())


def declared(tag: str, name: str) -> NoReturn:
    """What the bundle knows of a struct that it only declares."""
    raise DeclarationTypeError(f"{tag} {name}")


def main(release: str, *files: str) -> None:
    roots: dict[str, list[str]] = {}
    for line in (ROOT / "tools" / "kernel_roots.txt").read_text().splitlines():
        if not line.startswith("#"):
            kind, _, names = line.partition(" = ")
            roots.setdefault(kind, []).extend(names.split())
    bundle = Bundle([decode_btf(Path(file).read_bytes()) for file in files])
    missing = []
    for name in [*roots["near"], *roots["struct"]]:
        key = bundle.find(name, t.Struct, t.Union, t.Typedef)
        if key is None:
            missing.append(name)
        else:
            bundle.want(key)
    for name in roots["near"]:
        key = bundle.find(name, t.Struct, t.Union, t.Typedef)
        if key is not None:
            for near in bundle.neighbours(key):
                bundle.want(near)
    for name in roots["typedef"]:
        key = bundle.find(name, t.Typedef)
        if key is None:
            missing.append(name)
        else:
            bundle.want(key)
            bundle.id(key)
    for key in list(bundle.wanted):
        if getattr(bundle.item(key), "name", ""):
            bundle.id(key)
    bundle.enums(roots["enum"])
    for name in [*sorted(KFUNCS), *roots["function"]]:
        bundle.function(name)
    bundle.raw_tracepoints(roots["without"])
    strings = StringTable()
    strings.add(f"Linux {release} x86_64, by tools/make_kernel.py")
    data = btf_section(encode_types(bundle.types, strings), strings)
    TARGET.mkdir(exist_ok=True)
    (TARGET / "vmlinux.btf").write_bytes(data)
    (TARGET / "vmlinux.btfindex").write_bytes(decode_btf(data).make_index())
    origin = f"Those that come with pybpf, of Linux {release} x86-64. Generated by tools/make_kernel.py; do not edit."
    (ROOT / "pybpf" / "kernel.pyi").write_text(stub([KernelTypes(decode_btf(data), declared=declared)], origin))
    print(f"{len(bundle.types)} types, {len(bundle.wanted)} structs, {len(data)} bytes")
    print("not found:", *missing)


if __name__ == "__main__":
    sys.setrecursionlimit(10_000)
    main(*sys.argv[1:])
