"""`pybpf explain E0203`: what a diagnostic means, why there is one, and what to write instead.

`pybpf explain bpf_ktime_get_ns` tells of a helper, or of a function of the kernel; `HashMap`, `ethhdr`, `TcContext` and
`task_struct` of what programs import from pybpf, pybpf.net and pybpf.kernel.
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
        from pybpf.cli.explain_names import name_page, near_names

        name = code.removeprefix("helpers.").removeprefix("kfuncs.")
        page = function_page(name) or name_page(name)
        if page is None:
            near = near_names(name)[:1] or near_functions(name)[:1]
            way = f"did you mean `{near[0]}`?" if near else "`pybpf explain` lists all diagnostics"
            raise UserError(f"there is no diagnostic, helper or name `{code}`", way)
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
    "Explain a diagnostic by its code; or, by its name, a helper, a kernel function or struct, or a name of pybpf.\n\n"
    "Without a code, list all diagnostics.",
    arguments=(Argument("code", "[CODE|NAME]", optional=True),),
)
