"""What random programs found, by name: each runs at every ISA level and without each optimisation."""

from __future__ import annotations

import pytest

from tests.differential.declarations import SOURCE
from tests.differential.nodes import Expr, Program, Stmt
from tests.differential.run import ALL, examine, one_cpu

PROGRAMS = {
    "min_of_a_conversion": """
        v: i16 = i16(head.n)
        w = rows[1].cells[min(u8(v), 7)] & 63
        outs[0] = w
    """,
    "unsigned_remainder_of_a_power_of_two": """
        v = pkt.skip(1)
        outs[1] = rows[0].cells[((v | 1) % 2)]
        slots[(head.port >> 8) % 4] -= 5
    """,
    "a_place_that_changes_what_the_value_reads": """
        rows[tick(1) & 3].pair = Pair(x=ticks, y=0, z=0, big=0)
        rows[tick(1) & 3].last = ticks
        slots[tick(1) & 7] = ticks
        table[tick(1)] = ticks
        records[tick(1)] = Pair(x=ticks, y=0, z=0, big=0)
    """,
    "an_index_carried_by_a_loop_out_of_a_remainder": """
        i: u32 = 0
        j: u32 = 3
        total: i64 = 0
        for _ in range(10):
            total = total * 3 + rows[1].cells[i] + rows[0].cells[j]
            rows[1].cells[i] += 1
            j = i
            i = u32((i + 3) % 7)
        outs[0] = total
    """,
    "a_division_that_ends_a_loop": """
        n: u32 = g0
        while n > 0:
            n //= 3
            outs[0] += n
    """,
    "an_optional_that_is_never_there": """
        o = first_of(4)
        if o is not None:
            table[u32(o)] = 1 << (o & 63)
            outs[0] = table.get(u32(o), 0) + outs[o & 63]
    """,
    "an_array_of_the_stack_in_a_loop_that_is_called": """
        n: u32 = g0
        while n:
            n //= 3
            s = Nest(flag=True, pair=Pair(x=1, y=2, z=n, big=4), cells=Array[i16, L[8]](), name="ab", net=1, last=2)
            s.cells[n & 7] = 5
            table[1] += i64(s.cells[min((n % (head.n | 1)) & 255, 7)])
    """,
    "an_index_carried_by_a_loop_of_a_function_inside": """
        def local(x: i64 = 3) -> i64:
            i: u32 = 0
            j: u32 = 3
            total: i64 = 0
            for _ in range(10):
                total = total * x + rows[1].cells[i] + rows[0].cells[j]
                j = i
                i = u32((i + 3) % 7)
            return total
        outs[0] = local()
    """,
    "an_index_from_the_sign_of_bits_that_are_zero": """
        v7 = i32(min(head.port, 64))
        h8 = pkt.parse(Ext)
        if h8 is not None:
            v9: i8 = v7 << 55
            h8.raw[i8(1) & v9] <<= v9 % 3
    """,
    "variables_that_change_places_in_a_loop": """
        v6: u32 = 0
        v7: u32 = 1
        for k in range(1, 7, 2):
            ph[u8(v6 + head.port)] = i32(v6)
            v7, v6 = v6, v7
        outs[2] = v6
        outs[3] = v7
    """,
}


@pytest.mark.kernel
@pytest.mark.parametrize("name", list(PROGRAMS))
def test_found(name: str) -> None:
    body = "\n".join([line[8:] for line in PROGRAMS[name].strip("\n").splitlines()]).rstrip()
    lines = [
        "global g0, g1, g2",
        "head = pkt.parse(Head)",
        "if head is None:\n    return XDP.ABORTED",
        body,
        "return XDP.PASS",
    ]
    main = Expr("", "@xdp\ndef f0(pkt: XdpContext) -> XDP:")
    with one_cpu():
        examine(Program(SOURCE, [Stmt((main, [Stmt((Expr("", line), None)) for line in lines]))]), 1, ALL)
