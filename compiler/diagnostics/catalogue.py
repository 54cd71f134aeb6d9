"""All diagnostics by their code: every class in the modules beside this one. For `pybpf explain` and the tests."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybpf.compiler.diagnostics.base import Diagnostic

__all__ = ["catalogue", "explanation"]


def catalogue() -> dict[str, type[Diagnostic]]:
    """Code -> class, in the order of the codes. Two classes of one code are an error of ours."""
    import importlib
    import pkgutil

    import pybpf.compiler.diagnostics as package
    from pybpf.compiler.diagnostics.base import Diagnostic

    found: dict[str, type[Diagnostic]] = {}
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        for value in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Diagnostic) and value.code:
                assert found.setdefault(value.code, value) is value, f"{value.code} is used twice"
    return dict(sorted(found.items()))


def explanation(kind: type[Diagnostic]) -> str:
    """The page of `pybpf explain`: the class's docstring, without the indentation it has in the source."""
    import inspect  # since Python 3.13 the compiler has cleaned docstrings already

    return inspect.cleandoc(kind.__doc__ or "")
