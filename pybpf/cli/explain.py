"""`pybpf explain E0203`: what a diagnostic means, why there is one, and what to write instead."""

from __future__ import annotations

from pybpf.cli.messages import UserError
from pybpf.cli.table import Argument, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["COMMAND"]


def run(values: dict[str, Any]) -> int:
    from pybpf.compiler.diagnostics.catalogue import catalogue, explanation

    known = catalogue()
    code = values["code"]
    if code is None:
        for each, kind in known.items():
            print(f"{each}  {(kind.__doc__ or '').split(chr(10))[0]}")
        return 0
    found = known.get(code.upper())
    if found is None:
        raise UserError(f"no diagnostic has the code {code}", "`pybpf explain` lists them all")
    print(f"{found.severity}[{found.code}]: {explanation(found)}")
    return 0


COMMAND = Command(
    "explain",
    run,
    "Explain a diagnostic by its code.\n\nWithout a code, list all of them.",
    arguments=(Argument("code", "[CODE]", optional=True),),
)
