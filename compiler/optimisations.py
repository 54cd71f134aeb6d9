"""All that only makes code better, by name: passes over the IR, then those over machine code.

Each can be left out (`skip`), alone or with others, and programs mean the same.
"""

from __future__ import annotations

from pybpf.compiler.codegen import CODE_PASSES
from pybpf.compiler.passes import PASSES

__all__ = ["OPTIMISATIONS"]

OPTIMISATIONS = tuple([name for name, _ in (*PASSES, *CODE_PASSES)])
