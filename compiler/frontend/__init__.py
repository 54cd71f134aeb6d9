"""Source text to typed tree: `parse(programs)`, then `check(parsed, target)`."""

from pybpf.compiler.frontend.check import check
from pybpf.compiler.frontend.parse import Parsed, parse

__all__ = ["Parsed", "check", "parse"]
