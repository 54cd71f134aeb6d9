"""What each pass makes of small functions: IR in, IR out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pybpf.compiler.ir.checker import check_function
from pybpf.compiler.ir.parser import parse_function
from pybpf.compiler.ir.printer import print_function
from pybpf.compiler.passes import optimise_function, pass_named
from tests.golden import golden

if TYPE_CHECKING:
    from collections.abc import Callable


def runner(*names: str) -> Callable[[str], str]:
    """The passes in this order, each once; without names the whole schedule."""

    def run(text: str) -> str:
        function = parse_function(text)
        check_function(function)
        before = print_function(function)
        for name in names:
            changed = pass_named(name)(function)
            check_function(function)
            after = print_function(function)
            assert changed == (before != after), f"{name} does not tell the truth about its changes"
            before = after
        if not names:
            optimise_function(function, observe=lambda name, function: check_function(function))
        return print_function(function)

    return run


test_simplify = golden("passes/simplify.test", runner("simplify"))
test_copies = golden("passes/copies.test", runner("copies"))
test_threading = golden("passes/threading.test", runner("threading"))
test_bypass = golden("passes/bypass.test", runner("bypass"))
test_checks = golden("passes/checks.test", runner("checks"))
test_cfg = golden("passes/cfg.test", runner("cfg"))
test_parts = golden("passes/parts.test", runner("parts"))
test_slots = golden("passes/slots.test", runner("slots"))
test_gvn = golden("passes/gvn.test", runner("gvn"))
test_loads = golden("passes/loads.test", runner("loads"))
test_words = golden("passes/words.test", runner("words"))
test_invariants = golden("passes/invariants.test", runner("invariants"))
test_stores = golden("passes/stores.test", runner("stores"))
test_narrowing = golden("passes/narrowing.test", runner("narrowing"))
test_bits = golden("passes/bits.test", runner("bits"))
test_unroll = golden("passes/unroll.test", runner("unroll"))
test_members = golden("passes/members.test", runner("members"))
test_joins = golden("passes/joins.test", runner("joins"))
test_tails = golden("passes/tails.test", runner("tails"))
test_dce = golden("passes/dce.test", runner("dce"))
test_all = golden("passes/all.test", runner())
