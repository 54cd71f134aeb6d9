"""Which names every loader, and every tool that generates code from objects, can take.

Programs, maps and globals become fields and identifiers in C skeletons (`bpftool gen skeleton`), Go (`bpf2go`) and Rust
(`libbpf-cargo`); struct members appear in C only, since the other two rename theirs.
"""

from __future__ import annotations

__all__ = ["LICENSE_SYMBOL", "check_member_name", "check_symbol_name"]

LICENSE_SYMBOL = "_license"  # the object's own symbol for its licence; any name would do

# ISO/IEC 9899:2024 §6.4.1, and the older spellings that are macros in its headers
_C = frozenset((
    "alignas", "alignof", "auto", "bool", "break", "case", "char", "const", "constexpr", "continue", "default",
    "do", "double", "else", "enum", "extern", "false", "float", "for", "goto", "if", "inline", "int", "long",
    "nullptr", "register", "restrict", "return", "short", "signed", "sizeof", "static", "static_assert", "struct",
    "switch", "thread_local", "true", "typedef", "typeof", "typeof_unqual", "union", "unsigned", "void",
    "volatile", "while", "asm", "_Alignas", "_Alignof", "_Atomic", "_BitInt", "_Bool", "_Complex", "_Decimal128",
    "_Decimal32", "_Decimal64", "_Generic", "_Imaginary", "_Noreturn", "_Static_assert", "_Thread_local",
))  # fmt: skip
# The Go Programming Language Specification, "Keywords"
_GO = frozenset((
    "break", "case", "chan", "const", "continue", "default", "defer", "else", "fallthrough", "for", "func", "go",
    "goto", "if", "import", "interface", "map", "package", "range", "return", "select", "struct", "switch",
    "type", "var",
))  # fmt: skip
# The Rust Reference, "Keywords": strict and reserved
_RUST = frozenset((
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false", "fn",
    "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self",
    "Self", "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while", "abstract",
    "become", "box", "do", "final", "gen", "macro", "override", "priv", "try", "typeof", "unsized", "virtual",
    "yield",
))  # fmt: skip

_MAX_NAME = 127  # KSYM_NAME_LEN of kernels before 6.1, less the NUL; a BTF name must fit


def check_symbol_name(name: str) -> str | None:
    """Why a program, map or global can't have this name; None when it can. Meant to follow "`name` "."""
    reason = _identifier(name)
    if reason is not None:
        return reason
    if name == LICENSE_SYMBOL:
        return "is the name of the object's licence"
    for language, words in (("C", _C), ("Go", _GO), ("Rust", _RUST)):
        if name in words:
            return f"is a keyword of {language}, and loaders written in {language} could not refer to it"
    return None


def check_member_name(name: str) -> str | None:
    """Why a struct or its member, or an enumerator, can't have this name; None when it can."""
    reason = _identifier(name)
    if reason is None and name in _C:
        return "is a keyword of C, and a C skeleton could not be compiled"
    return reason


def _identifier(name: str) -> str | None:
    if not name:
        return "is empty"
    if not name.isascii():
        return "has letters outside ASCII, which object files can't hold in names"
    if not name.isidentifier():
        return "is not a C identifier"
    if len(name) > _MAX_NAME:
        return f"is longer than the {_MAX_NAME} characters that the kernel takes"
    return None
