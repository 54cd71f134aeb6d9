"""Whatever Python there is, checking it ends in diagnostics or in a tree: never in an exception.

The functions of some modules of the standard library are checked as if programs called them, with arguments of random
types.
"""

from __future__ import annotations

import argparse
import calendar
import difflib
import heapq
import json.decoder
import random
import statistics
import textwrap
import types
import zipfile
from typing import Any

import pytest

from pybpf.compiler.diagnostics.render import render_all
from pybpf.compiler.frontend import ranges
from pybpf.compiler.frontend.function import Checker
from pybpf.compiler.frontend.known import Known
from pybpf.compiler.frontend.scope import Parameter
from pybpf.compiler.frontend.session import Session
from pybpf.compiler.frontend.source import Sources
from pybpf.compiler.schema.specs import Target
from pybpf.compiler.schema.types import I64, U32, U64, OptionalType, PtrType, Space, TextType, layout
from tests.frontend.checking import body, programs

RECORD = layout("Record", [("pos", U32), ("end", U64), ("name", TextType(16))])
TYPES = (
    U64, I64, U32, OptionalType(U64), PtrType(RECORD, Space.MAP), OptionalType(PtrType(RECORD, Space.STACK)),
    PtrType(TextType(16), Space.STACK),
)  # fmt: skip
CONSTANTS = (5, "x", None, (1, 2), len)
MODULES = (argparse, calendar, difflib, heapq, json.decoder, statistics, textwrap, zipfile)


def functions(module: types.ModuleType) -> list[Any]:
    found = []
    for value in vars(module).values():
        inner = vars(value).values() if isinstance(value, type) else [value]
        found += [f for f in inner if isinstance(f, types.FunctionType)]
    return found


@pytest.mark.parametrize("module", MODULES, ids=[m.__name__ for m in MODULES])
def test_functions_of(module: types.ModuleType) -> None:
    draw = random.Random(module.__name__)
    sources = Sources()
    spec = programs(body("pass"))[0]
    checked = 0
    for function in functions(module):
        place = sources.function(function.__code__)
        if place is None:
            continue
        checker = Checker(Session(sources, Target(), spec), *place, function)
        arguments = place[1].args
        parameters = []
        for p in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            span = place[0].span(p)
            if draw.random() < 0.2:
                parameters.append(Parameter(p.arg, span, known=Known(draw.choice(CONSTANTS), span)))
            else:
                kind = draw.choice(TYPES)
                inner = kind.inner if isinstance(kind, OptionalType) else kind
                parameters.append(Parameter(p.arg, span, type=kind, range=ranges.of_type(inner)))
        checker.set_parameters(parameters, None)
        instance = checker.check()
        assert (instance.function is None) == any(d.severity == "error" for d in instance.diagnostics)
        assert render_all(instance.diagnostics) or not instance.diagnostics
        checked += 1
    assert checked > 3
