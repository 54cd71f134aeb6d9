"""Python in, SSA out, before any optimisation. Each case is the body of a module; it starts with the usual imports.

A first line `# target 6.18` says which kernel it is for.
"""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

from pybpf.compiler.frontend import check, parse
from pybpf.compiler.ir.checker import check as check_ir
from pybpf.compiler.ir.parser import parse_module
from pybpf.compiler.ir.printer import print_module
from pybpf.compiler.irbuild import build
from pybpf.compiler.schema.specs import Target
from pybpf.program import Program
from tests.golden import golden

IMPORTS = "from pybpf import *\nfrom pybpf.net import *\n"


def lowered(source: str) -> str:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "case.py"
        path.write_text(IMPORTS + source)
        spec = importlib.util.spec_from_file_location("case", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        programs = [value.__bpf__ for value in vars(module).values() if isinstance(value, Program)]
        first = source.split("\n", 1)[0].partition("# target ")[2]
        target = Target(kernel=tuple(map(int, first.split(".")))) if first else Target()  # type: ignore[arg-type]
        ir = build(check(parse(programs), target), target)
    check_ir(ir)
    text = print_module(ir)
    assert print_module(parse_module(text)) == text
    return text


test_lowering = golden("irbuild/*.test", lowered)
