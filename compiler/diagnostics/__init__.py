"""The catalogue of diagnostics, a module a theme; `from pybpf.compiler import diagnostics as errors` has them all.

A theme is imported when one of its diagnostics is first made: compiling a correct program pays for none of them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pybpf.compiler.diagnostics.agreement import *
    from pybpf.compiler.diagnostics.arenas import *
    from pybpf.compiler.diagnostics.asm import *
    from pybpf.compiler.diagnostics.calls import *
    from pybpf.compiler.diagnostics.dynptrs import *
    from pybpf.compiler.diagnostics.elements import *
    from pybpf.compiler.diagnostics.events import *
    from pybpf.compiler.diagnostics.flow import *
    from pybpf.compiler.diagnostics.helpers import *
    from pybpf.compiler.diagnostics.hooks import *
    from pybpf.compiler.diagnostics.iterators import *
    from pybpf.compiler.diagnostics.kernel import *
    from pybpf.compiler.diagnostics.kfuncs import *
    from pybpf.compiler.diagnostics.loops import *
    from pybpf.compiler.diagnostics.maps import *
    from pybpf.compiler.diagnostics.names import *
    from pybpf.compiler.diagnostics.objects import *
    from pybpf.compiler.diagnostics.optional import *
    from pybpf.compiler.diagnostics.patterns import *
    from pybpf.compiler.diagnostics.printing import *
    from pybpf.compiler.diagnostics.references import *
    from pybpf.compiler.diagnostics.statements import *
    from pybpf.compiler.diagnostics.structs import *
    from pybpf.compiler.diagnostics.subprograms import *
    from pybpf.compiler.diagnostics.sync import *
    from pybpf.compiler.diagnostics.syntax import *
    from pybpf.compiler.diagnostics.texts import *
    from pybpf.compiler.diagnostics.types import *
    from pybpf.compiler.diagnostics.values import *
    from pybpf.compiler.diagnostics.warnings import *

_THEMES = (
    "agreement", "arenas", "asm", "calls", "dynptrs", "elements", "events", "flow", "helpers", "hooks", "iterators",
    "kernel", "kfuncs", "loops", "maps", "names", "objects", "optional", "patterns", "printing", "references",
    "statements", "structs", "subprograms", "sync", "syntax", "texts", "types", "values", "warnings",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    """A diagnostic by its class name."""
    if name[:1].isupper():
        from importlib import import_module

        for theme in _THEMES:
            module = import_module(f"{__name__}.{theme}")
            if name in module.__all__:
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
