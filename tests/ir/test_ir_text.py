"""The text form: what is printed reads back as the same module."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from pybpf.compiler.ir.function import Function, Module
from pybpf.compiler.ir.ops import Binary, Const, Op, Param, Return, Value
from pybpf.compiler.ir.parser import IrSyntaxError, parse_function, parse_module
from pybpf.compiler.ir.printer import print_function, print_module
from pybpf.compiler.schema import types
from pybpf.compiler.schema.specs import GlobalSpec
from tests.golden import DATA, golden, read_cases
from tests.ir.random_ir import modules


def reprint(text: str) -> str:
    once = print_module(parse_module(text), spans=True)
    assert print_module(parse_module(once), spans=True) == once
    return once


test_text = golden("ir/text.test", reprint)


def test_the_standard_form_is_kept() -> None:
    text = next(case.input for case in read_cases(DATA / "ir/text.test") if case.name == "everything")
    assert reprint(text) == text


@given(modules())
@settings(max_examples=40, deadline=None)
def test_random_modules_read_back(module: Module) -> None:
    text = print_module(module)
    again = parse_module(text)
    assert print_module(again) == text
    for old, new in zip(module.functions, again.functions, strict=True):
        assert _shape(old) == _shape(new)


def _shape(function: Function) -> list[object]:
    """All fields of all operations, with values, blocks and slots replaced by their positions."""
    place: dict[object, object] = {b: ("block", b.label) for b in function.blocks}
    place |= {s: ("slot", n, s.name, s.size, s.align) for n, s in enumerate(function.slots)}
    place |= {v: ("value", n) for n, v in enumerate([*function.params, *function.ops()])}

    def known(what: object) -> object:
        if isinstance(what, list | tuple):
            return [known(w) for w in what]
        if isinstance(what, Const):
            return ("const", what.value)
        return place.get(what, what) if isinstance(what, Value) or what in place else what

    return [
        (type(op).__name__, *[known(getattr(op, f)) for f in type(op)._fields if f != "name" or named(op)])
        for op in function.ops()
    ]


def named(op: Op) -> bool:
    return op.kind != "void"


def test_structs_of_one_name_stay_apart_and_may_refer_to_themselves() -> None:
    one = types.layout("Node", [("next", types.U64)])
    one.fields = (types.Field("next", types.PtrType(one, "map"), 0),)
    two = types.layout("Node", [("x", types.U8), ("inside", one)])
    module = Module([], [], [GlobalSpec("g", two, bytes(two.size), False), GlobalSpec("h", one, b"\1" * 8, True)])
    text = print_module(module)
    again = parse_module(text)
    assert print_module(again) == text
    g, h = (v.type for v in again.globals)
    assert isinstance(g, types.StructType) and isinstance(h, types.StructType)
    assert (g.name, h.name) == ("Node", "Node")
    assert g.fields[1].type is h
    assert h.fields[0].type == types.PtrType(h, "map")


def test_odd_names_are_quoted() -> None:
    function = Function("f", 'odd"section\\', [Param(0, "int", "größe x")])
    text = print_function(function)
    assert '%0."größe x"' in text
    function.blocks = parse_function('func f() section "x" {\n@entry:\n ret 0\n}').blocks
    assert print_function(parse_function(print_function(function))) == print_function(function)


def test_values_of_elsewhere_are_shown_as_unknown() -> None:
    function = parse_function('func f() section "x" {\n@entry:\n ret 0\n}')
    function.blocks[0].ops[-1] = Return(Binary("add", Const(1), Const(2), name="lost"))
    assert "ret %?.lost" in print_function(function)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("%0 = frobnicate 1\nret 0", "line 3"),
        ("ret %1", "%1 is not defined"),
        ("jump @nowhere", "@nowhere is not defined"),
        ("%0 = add 1, 2\n%0 = add 1, 2\nret 0", "%0 is defined twice"),
        ("%0: ptr = add 1, 2\nret 0", "result is int"),
        ("%0: ptr = slot $none\nret 0", r"\$none is not defined"),
    ],
)
def test_text_that_is_not_ir(body: str, message: str) -> None:
    with pytest.raises(IrSyntaxError, match=message):
        parse_function(f'func f() section "x" {{\n@entry:\n{body}\n}}')
