"""What Python has and a BPF program does not, by syntax node: which diagnostic says so."""

from __future__ import annotations

from pybpf.compiler import diagnostics as errors
from pybpf.compiler.frontend import wording
from pybpf.compiler.frontend.known import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ast
    from collections.abc import Callable
    from typing import Any

    from pybpf.compiler.diagnostics.base import Diagnostic
    from pybpf.compiler.frontend.function import Checker
    from pybpf.compiler.schema.span import Span

    Refusal = Callable[[Checker, Any, Span], Diagnostic]
else:
    import _ast as ast

__all__ = ["EXPRESSION_REFUSALS", "REFUSED_BUILTINS", "STATEMENT_REFUSALS"]


def _assert(checker: Checker, node: ast.Assert, span: Span) -> Diagnostic:
    from pybpf.compiler.frontend.conditions import condition

    try:  # what is asserted is taken to hold, so that nothing is said about it twice
        _, holds, _ = condition(checker, node.test)
        checker.state = holds if holds is not None else checker.state
    except Refused:
        pass
    return errors.NoAssert(span, wording.negated(checker, node.test), wording.early_return(checker))


def _raise(checker: Checker, node: ast.Raise, span: Span) -> Diagnostic:
    return errors.NoException(span, "raise", wording.early_return(checker))


def _try(checker: Checker, node: ast.Try, span: Span) -> Diagnostic:
    return errors.NoException(wording.header(span), "try", wording.early_return(checker))


def _import(checker: Checker, node: Any, span: Span) -> Diagnostic:
    return errors.NoImport(span, checker.text(span))


def _define(checker: Checker, node: Any, span: Span) -> Diagnostic:
    return errors.NoNestedDefinition(wording.header(span), node.name)


def _async(checker: Checker, node: Any, span: Span) -> Diagnostic:
    what = {ast.AsyncFor: "`async for`", ast.AsyncWith: "`async with`"}.get(type(node), "`async def`")
    return errors.NoAsync(wording.header(span), what)


def _type_statement(checker: Checker, node: Any, span: Span) -> Diagnostic:
    return errors.NotInLanguage(span, "a `type` statement")


STATEMENT_REFUSALS: dict[type, Refusal] = {
    ast.Assert: _assert,
    ast.Raise: _raise,
    ast.Try: _try,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.ClassDef: _define,
    ast.AsyncFunctionDef: _async,
    ast.AsyncFor: _async,
    ast.AsyncWith: _async,
}
_TRY_STAR = getattr(ast, "TryStar", None)  # since Python 3.11
if _TRY_STAR is not None:
    STATEMENT_REFUSALS[_TRY_STAR] = _try
_TYPE_STATEMENT = getattr(ast, "TypeAlias", None)  # since Python 3.12
if _TYPE_STATEMENT is not None:
    STATEMENT_REFUSALS[_TYPE_STATEMENT] = _type_statement


def _dict(checker: Checker, node: ast.Dict, span: Span) -> Diagnostic:
    return errors.NoContainer(span, "dict", len(node.keys))


def _set(checker: Checker, node: ast.Set, span: Span) -> Diagnostic:
    return errors.NoContainer(span, "set", len(node.elts))


def _comprehension(checker: Checker, node: Any, span: Span) -> Diagnostic:
    return errors.NoComprehension(span, "a generator" if isinstance(node, ast.GeneratorExp) else "a comprehension")


def _yield(checker: Checker, node: Any, span: Span) -> Diagnostic:
    return errors.NoGenerator(span)


def _await(checker: Checker, node: Any, span: Span) -> Diagnostic:
    return errors.NoAsync(span, "`await`")


def _fstring(checker: Checker, node: Any, span: Span) -> Diagnostic:
    return errors.FStringElsewhere(span, checker.text(span))


def _star(checker: Checker, node: Any, span: Span) -> Diagnostic:
    return errors.NoStar(span, checker.text(span))


def _slice(checker: Checker, node: Any, span: Span) -> Diagnostic:
    return errors.NoSlice(span, "source")


EXPRESSION_REFUSALS: dict[type, Refusal] = {
    ast.Dict: _dict,
    ast.Set: _set,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.DictComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.Yield: _yield,
    ast.YieldFrom: _yield,
    ast.Await: _await,
    ast.JoinedStr: _fstring,
    ast.Starred: _star,
    ast.Slice: _slice,
}

# Builtins of Python that a program can't call, and the way out.
REFUSED_BUILTINS: dict[Any, str] = {
    print: 'write to the kernel\'s trace with printk(f"..."), or send a record through a RingBuffer',
    input: "a program gets its input from its context, from maps, and from const() globals",
    open: "a program can't open files; let user space do it and pass data through a map",
    str: 'numbers become text in user space; in a program only printk(f"{x}") formats',
    repr: 'numbers become text in user space; in a program only printk(f"{x}") formats',
    format: 'numbers become text in user space; in a program only printk(f"{x}") formats',
    hex: 'write printk(f"{x:#x}"), or format it in user space',
    oct: "format it in user space",
    bin: "format it in user space",
    chr: "a text can't be changed by the character; keep bytes in an Array[u8, L[n]]",
    float: "BPF has no floating point: scale to an integer, x * 1000 // y",
    complex: "BPF has no floating point",
    sorted: "sort in user space",
    reversed: "loop over it: for x in reversed(a)",
    enumerate: "loop over it: for i, x in enumerate(a)",
    zip: "loop over it: for x, y in zip(a, b)",
    map: "write a loop",
    filter: "write a loop with an if",
    list: "use Array[u32, L[n]] in a Struct or a map",
    dict: "use a HashMap declared at module level",
    set: "use a HashMap[key, u8] declared at module level",
    frozenset: "use a HashMap[key, u8] declared at module level",
    tuple: "use a Struct",
    bytearray: "use Array[u8, L[n]]",
    type: "types are known when the program is compiled",
    isinstance: "types are known when the program is compiled; for `x | None` write x is not None",
    issubclass: "types are known when the program is compiled",
    hasattr: "fields are known when the program is compiled",
    getattr: "name the field: x.field",
    setattr: "name the field: x.field = value",
    id: "a program has no object identities",
    hash: "use a helper, or write the hash out with shifts and multiplications",
    iter: "write a for loop over range()",
    next: "write a for loop over range()",
    eval: "a program is compiled before it runs",
    exec: "a program is compiled before it runs",
    super: "call the function by its class",
    vars: "name the fields",
    dir: "name the fields",
    globals: "name the variable",
    locals: "name the variable",
    callable: "functions are known when the program is compiled",
    slice: "loop over the elements",
    object: "declare a Struct",
}
