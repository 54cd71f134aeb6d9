"""Calls: functions inlined, arguments, helpers, builtins, and where the errors of library code are shown."""

from __future__ import annotations

import pytest

from tests.frontend.checking import body, codes, diagnostics, typed

F = "def f(x: u8, y=3, *, z: u32 = 4):\n    return x + y + z\n"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("f(3)", []),
        ("f(u8(a), z=5)", []),
        ("f(a)", []),  # wraps, as storing does
        ("f(300)", ["E0208"]),
        ("f(1, 2, 3)", ["E0606"]),
        ("f()", ["E0609"]),
        ("f(1, q=3)", ["E0607"]),
        ("f(1, x=1)", ["E0608"]),
        ("f(None)", ["E0204"]),
        ("f(*PORTS)", ["E0606"]),
        ("f(table.get(1))", ["E0203"]),
    ],
)
def test_arguments(call: str, expected: list[str]) -> None:
    assert [d.code for d in diagnostics(F + body(f"x = {call}"))] == expected


def test_one_instance_for_each_set_of_types() -> None:
    text = "def f(x):\n    return x + 1\n"
    program = typed(text + body("x = f(u32(a)) + f(u32(b)) + f(i8(a))")).programs[0]
    from pybpf.compiler.frontend.printer import print_tree

    shown = print_tree(typed(text + body("x = f(u32(a)) + f(u32(b)) + f(i8(a))")))
    assert program.spec.name == "probe"
    assert shown.count("inline f") == 2


def test_what_is_known_of_an_argument_is_known_inside() -> None:
    assert [d.code for d in diagnostics("def bump(i):\n    slots[i] += 1\n" + body("bump(a & 15)\nbump(3)"))] == []
    assert [d.code for d in diagnostics("def bump(i):\n    slots[i] += 1\n" + body("bump(a)"))] == ["E0403"]


def test_maps_types_and_constants_are_arguments() -> None:
    module = "def lookup(m, k, kind):\n    return m.get(k, 0) + sizeof(kind)\n"
    assert [d.code for d in diagnostics(module + body("x = lookup(table, 1, Rec) + lookup(percpu, 2, One)"))] == []


def test_recursion() -> None:
    module = "def even(n):\n    return odd(n - 1)\ndef odd(n):\n    return even(n - 1)\n"
    assert [d.code for d in diagnostics(module + body("x = even(4)"))] == ["E0605"]


def test_a_function_may_return_none_on_some_path() -> None:
    module = "def find(x):\n    for i in range(10):\n        if i == x:\n            return i\n    return None\n"
    assert [d.code for d in diagnostics(module + body("y = find(a)\nif y is not None:\n    slots[y] = 1"))] == []
    assert [d.code for d in diagnostics(module + body("slots[0] = find(a)"))] == ["E0203"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = time()", ["E0301"]),
        ("print('x')", ["E0604"]),
        ("x = isinstance(a, int)", ["E0604"]),
        ("x = a(1)", ["E0602"]),
        ("x = XdpContext()", ["E0602"]),
        ("x = probe(a, b)", ["E0612"]),
        ("x = helpers.bpf_ktime_get_ns()", []),
        ("x = helpers.bpf_ktime_get_ns(1)", ["E0620"]),
        ("x = helpers.bpf_nope()", ["E0303"]),
        ("x = helpers.bpf_xdp_adjust_head(1, 2)", ["E0621"]),
        ("x: Text[L[8]] = 'a'\ny = helpers.bpf_probe_read_user(x, 8, a)", []),
        ("x: Text[L[8]] = 'a'\ny = helpers.bpf_probe_read_user(x, 9, a)", ["E0625"]),
        ("x: Text[L[8]] = 'a'\ny = helpers.bpf_copy_from_user(x, 8, a)", ["E0623"]),
        ("x = user_str(a)", ["E0517"]),
        ("x = len(PORTS) + len(NAME) + ord('a') + min(3, 4) + int('7')", []),
        ("x = len(table)", ["E0226"]),
        ("x = comm()\ny = x.upper()", ["E0516"]),
        ("x = min = 3", []),
    ],
)
def test_other_calls(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


def test_a_name_of_the_module_hides_a_builtin() -> None:
    module = "def min(p, q):\n    return p\n"
    assert [d.code for d in diagnostics(module + body("slots[0] = min(comm() == NAME, 5)"))] == []


def test_an_error_inside_library_code_is_shown_at_the_call() -> None:
    module = "@xdp\ndef p(ctx: XdpContext) -> XDP:\n    ctx.parse(5)\n    return XDP.PASS\n"
    found = diagnostics(module)
    assert len(found) == 1
    assert found[0].span.source.line(found[0].span.line).strip() == "ctx.parse(5)"
    assert any("contexts/base.py" in str(item) for item in found[0].more())


def test_state_of_the_context_is_one_variable() -> None:
    module = (
        "@xdp\ndef p(ctx: XdpContext) -> XDP:\n    if ctx.parse(ethhdr) is None:\n        return XDP.PASS\n"
        "    ip = ctx.parse(iphdr)\n    return XDP.PASS if ip is None else XDP.DROP\n"
    )
    program = typed(module).programs[0]
    first = program.function.body[0]
    assert first.var.name == "ctx.cursor"  # type: ignore[attr-defined]


def test_none_may_come_before_an_object_of_any_space() -> None:
    module = (
        "def find(ctx: XdpContext) -> iphdr | None:\n"
        "    if ctx.parse(ethhdr) is None:\n        return None\n"
        "    return ctx.parse(iphdr)\n"
        "@xdp\ndef p(ctx: XdpContext) -> XDP:\n"
        "    found: iphdr | None = None\n"
        "    if ctx.rx_queue_index == 3:\n        found = find(ctx)\n"
        "    if found is None or found.ttl > 3:\n        return XDP.PASS\n"
        "    return XDP.DROP\n"
    )
    assert diagnostics(module) == []
