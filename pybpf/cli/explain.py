"""`pybpf explain E0203`: what a diagnostic means, why there is one, and what to write instead.

`pybpf explain bpf_ktime_get_ns` tells of a helper, or of a function of the kernel.
"""

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
    if found is None and not _is_code(code):
        from pybpf.cli.explain_functions import function_page, near_functions

        page = function_page(code)
        if page is None:
            near = near_functions(code)
            way = f"did you mean `{near[0]}`?" if near else "`pybpf explain` lists all diagnostics"
            raise UserError(f"there is no diagnostic, helper or kernel function `{code}`", way)
        print(page)
        return 0
    if found is None:
        alike = [each for each in known if each.startswith(code.upper()) or sorted(each) == sorted(code.upper())]
        way = f"there are {', '.join(alike[:12])}" if alike else "`pybpf explain` lists them all"
        raise UserError(f"no diagnostic has the code {code}", way)
    print(f"{found.severity}[{found.code}]: {explanation(found)}")
    return 0


def _is_code(text: str) -> bool:
    return text[:1].upper() in ("E", "W") and text[1:].isdigit()


COMMAND = Command(
    "explain",
    run,
    "Explain a diagnostic by its code, or a helper or kernel function by its name.\n\n"
    "Without a code, list all diagnostics.",
    arguments=(Argument("code", "[CODE|FUNCTION]", optional=True),),
)
