"""What may be meant by a name that is not there, when a module of the user's is imported.

In: the exception that the import raised. Out: its text without directories of this machine, and a help.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.schema.span import Span

    Suggestion = tuple[str, str, tuple[str, ...]]  # what was raised, the help, and lines to write below it

__all__ = ["suggestion"]


def suggestion(error: BaseException, span: Span) -> Suggestion | None:
    """The suggestion for a name that is undefined, or can't be imported, at `span`; None for other exceptions."""
    if isinstance(error, NameError) and isinstance(error.name, str):
        return f"NameError: the name `{error.name}` is not defined", *meant(error.name, _names_at(error, span))
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"ModuleNotFoundError: there is no module `{error.name}`", _module(error.name), ()
    if isinstance(error, ImportError) and error.name and error.name.split(".")[0] == "pybpf":
        wanted = str(error).partition("cannot import name ")[2].split("'")[1:2]
        return _import(error.name, wanted[0]) if wanted else None
    if isinstance(error, AttributeError):
        owner = getattr(error.obj, "__name__", "")
        if owner.split(".")[0] == "pybpf":
            return _lacking("AttributeError", owner, str(error.name))
    message = getattr(error, "message", None)
    if isinstance(message, str):  # an error of the runtime's, such as of load(): it tells what to do
        return f"{type(error).__name__}: {message}".split("\n")[0], getattr(error, "help", ""), ()
    return _call(str(error)) if isinstance(error, TypeError) else None


def meant(name: str, known: list[str]) -> tuple[str, tuple[str, ...]]:
    """What to write for an undefined name: its import, or one of `known` that is spelled like it."""
    from pybpf.compiler.frontend.scope import closest, public_in

    home = public_in(name)
    if home:
        return "import it:", (f"from {home} import {name}",)
    near = closest(name, known)
    if near:
        return f"did you mean `{near}`?", ()
    near = closest(name, list(getattr(sys.modules.get("pybpf"), "__all__", ())))
    return ("did you mean this one?", (f"from pybpf import {near}",)) if near else ("", ())


def _names_at(error: BaseException, span: Span) -> list[str]:
    """The names that the user's own frame of an exception sees."""
    step, known = error.__traceback__, [""]
    while step is not None:
        if step.tb_frame.f_code.co_filename == span.source.path:
            known = sorted({*step.tb_frame.f_globals, *step.tb_frame.f_locals})
        step = step.tb_next
    return [name for name in known if not name.startswith("__")]


def _module(name: str) -> str:
    from pkgutil import iter_modules

    from pybpf.compiler.frontend.scope import closest

    parent, _, last = name.rpartition(".")
    if parent.split(".")[0] == "pybpf":
        near = closest(last, [each.name for each in iter_modules(getattr(sys.modules.get(parent), "__path__", []))])
        return f"did you mean `{parent}.{near}`?" if near else ""
    return f"install it, or import `{name}` only where user space needs it"


def _import(module: str, name: str) -> Suggestion:
    return _lacking("ImportError", module, name)


def _lacking(kind: str, module: str, name: str) -> Suggestion:
    from pybpf.compiler.frontend.scope import closest, public_in

    title = f"{kind}: `{module}` has no name `{name}`"
    home = public_in(name)
    if home:
        return title, "import it from there:", (f"from {home} import {name}",)
    found = sys.modules.get(module)
    near = closest(name, list(getattr(found, "__all__", None) or dir(found)))
    return title, f"did you mean `{near}`?" if near else "", ()


def _call(text: str) -> Suggestion | None:
    """For a call of one of our functions that its parameters don't fit: the example that its docstring has."""
    name, _, problem = text.partition("() ")
    known = vars(sys.modules["pybpf"]) if "pybpf" in sys.modules else {}
    doc = getattr(known.get(name), "__doc__", "") or ""
    if name.endswith(".__call__"):  # of an object of ours, whose class is private
        owner = name.removesuffix(".__call__")
        name = next((each for each, value in known.items() if type(value).__qualname__ == owner), "")
        doc = type(known[name]).__call__.__doc__ or "" if name else ""
    if name not in known.get("__all__", ()):
        return None
    examples = [part for part in doc.split("`")[1::2] if f"{name}(" in part]
    missing = problem.partition("missing ")[2].partition(": ")[2].replace("'", "`")
    title = (
        f"TypeError: {name}() needs {missing}" if missing else f"TypeError: {name}() {problem.replace(chr(39), '`')}"
    )
    return title, "write:" if examples else "", tuple(examples[:1])
