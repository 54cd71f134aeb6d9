"""Optimisations: each pass takes a well-formed function, changes it in place, and says whether it did.

    changed = optimise(module, skip=("gvn",), observe=lambda name, function: print(name))

ORDER is the schedule of one round; rounds are repeated until one changes nothing. Each pass's docstring starts with an
example of what it does. A pass may rely on no other having run.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pybpf.compiler.ir.function import Function, Module

__all__ = ["ORDER", "PASSES", "ROUNDS", "optimise", "optimise_function", "pass_named"]

# name (of the module too), what it is about
PASSES = (
    ("simplify", "constants, identities, cheaper operations"),
    ("copies", "phis that name one value"),
    ("threading", "tests whose outcome the way there tells"),
    ("bypass", "ways on which a result can't matter any more"),
    ("narrowing", "arithmetic that is cheaper in a range"),
    ("bits", "bits of numbers that nothing looks at"),
    ("members", "one of several constants"),
    ("checks", "bounds checks that the next one implies"),
    ("cfg", "unreachable, empty and straight-line blocks"),
    ("parts", "structs that are copied in words"),
    ("slots", "stack slots that registers can hold"),
    ("gvn", "what is computed twice"),
    ("loads", "what is read twice, or just written"),
    ("words", "bytes that are put together"),
    ("stores", "what is written for nothing"),
    ("invariants", "what is the same in each turn of a loop"),
    ("unroll", "loops of a few short turns"),
    ("joins", "constants stored side by side"),
    ("tails", "pieces of code that are the same"),
    ("dce", "what nothing needs"),
)  # fmt: skip
ORDER = (
    "simplify", "parts", "slots", "simplify", "copies", "cfg", "unroll", "members", "threading", "bypass", "copies",
    "cfg", "gvn", "checks", "cfg", "narrowing", "bits", "loads", "words", "invariants", "stores",
    "joins", "tails", "dce",
)  # fmt: skip
# Those that look at ways through the blocks: in a function of one block they have nothing to do, and are not imported.
WAYS = frozenset(("copies", "cfg", "unroll", "members", "threading", "bypass", "checks", "tails"))
ROUNDS = 6  # a round that still changes something after so many is the last


def pass_named(name: str) -> Callable[[Function], bool]:
    """The pass's `run`. Unknown names are a KeyError."""
    if not any(name == known for known, _ in PASSES):
        raise KeyError(name)
    found: Callable[[Function], bool] = __import__(f"pybpf.compiler.passes.{name}", fromlist=("run",)).run
    return found


def optimise(
    module: Module, skip: Collection[str] = (), observe: Callable[[str, Function], None] | None = None
) -> None:
    """Run all passes but `skip` over each function; `observe` is called after each run of a pass."""
    for function in module.functions:
        optimise_function(function, skip, observe)


def optimise_function(
    function: Function, skip: Collection[str] = (), observe: Callable[[str, Function], None] | None = None
) -> None:
    """Run the rounds over one function. A pass that found nothing to do is left out until another changes something."""
    schedule = [name for name in ORDER if name not in skip]
    runs: dict[str, Callable[[Function], bool]] = {}
    changes = 0  # of the function so far
    idle: dict[str, int] = {}  # how many there had been when a pass found nothing
    for _ in range(ROUNDS):
        before = changes
        for name in schedule:
            if idle.get(name) == changes:
                continue
            changed = False
            if len(function.blocks) > 1 or name not in WAYS:
                run = runs.get(name) or runs.setdefault(name, pass_named(name))
                changed = run(function)
            if changed:
                changes += 1
            else:
                idle[name] = changes
            if observe is not None:
                observe(name, function)
        if changes == before:
            return
