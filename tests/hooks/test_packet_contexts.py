"""Every field of every packet context: the verifier takes a read of each, and a store to those that can be changed."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Any

import pytest

import pybpf
from pybpf import CompileError, Program, build, load
from pybpf.compiler.schema.types import ArrayType, OptionalType, StructType

if TYPE_CHECKING:
    from pathlib import Path

    from pybpf.compiler.schema.specs import ContextSpec, CtxField

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

# decorator, context, what it returns
HOOKS = [
    ("tc", "TcContext", "TC.OK"),
    ("action", "TcContext", "TC.OK"),
    ("tcx.ingress", "TcContext", "TCX.NEXT"),
    ("socket_filter", "SocketFilterContext", "0"),
    ("lwt.in_", "LwtContext", "LWT.OK"),
    ("lwt.out", "LwtContext", "LWT.OK"),
    ("lwt.xmit", "LwtXmitContext", "LWT_XMIT.OK"),
    ("lwt.seg6local", "LwtContext", "LWT_SEG6LOCAL.OK"),
    ("flow_dissector", "FlowDissectorContext", "FLOW.OK"),
    ("xdp", "XdpContext", "XDP.PASS"),
    ("xdp.devmap", "XdpDevmapContext", "XDP.PASS"),
    ("xdp.cpumap", "XdpContext", "XDP.PASS"),
]

HEAD = """from pybpf import *

total = var(u64, 0)


"""


def lines_of(owner: str) -> list[str]:
    """Statements that read each field, then store to each that can be changed."""
    spec: ContextSpec = getattr(pybpf, owner).__bpf__
    reads, writes = [], []
    for field in spec.fields:
        reads += [f"total += {text}" for text in numbers(f"ctx.{field.name}", field.type)]
        if field.role == "" and isinstance(field.type, OptionalType):
            struct = field.type.inner.pointee  # type: ignore[attr-defined]
            reads += [f"{field.name} = ctx.{field.name}", f"if {field.name} is not None:"]
            inner = [text for f in struct.fields for text in numbers(f"{field.name}.{f.name}", f.type)]
            reads += [f"    total += {text}" for text in inner]
        if field.writable:
            writes += [f"{text} = 1" for text in numbers(f"ctx.{field.name}", field.type)]
        inner = getattr(field.type, "pointee", None)
        if isinstance(inner, StructType):
            for f in inner.fields:
                reads += [f"total += {text}" for text in numbers(f"ctx.{field.name}.{f.name}", f.type)]
                writes += [f"{text} = 1" for text in numbers(f"ctx.{field.name}.{f.name}", f.type)]
        if field.role == "packet":
            reads.append("total += ctx.data_end - ctx.data")
    return [*reads, *writes]


def numbers(text: str, kind: Any) -> list[str]:
    """The numbers at a place."""
    if isinstance(kind, ArrayType):
        return [f"{text}[{i}]" for i in range(kind.length)]
    return [text] if type(kind).__name__ == "IntType" else []


def module(path: Path, source: str) -> Any:
    file = path / "probe.py"
    file.write_text(source)
    spec = importlib.util.spec_from_file_location("packet_contexts_probe", file)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_every_field(tmp_path: Path) -> None:
    """In one module, since virtual machines are slow; then each program by itself is loaded."""
    source = HEAD
    for i, (hook, owner, answer) in enumerate(HOOKS):
        returns = answer.partition(".")[0] if "." in answer else "int"
        body = "".join(f"    {line}\n" for line in lines_of(owner))
        assert body
        head = f"@{hook}\ndef probe{i}(ctx: {owner}) -> {returns}:\n"
        source += f"{head}    global total\n{body}    return {answer}\n\n\n"
    made = module(tmp_path, source)
    programs = [getattr(made, f"probe{i}") for i in range(len(HOOKS))]
    assert all(isinstance(program, Program) for program in programs)
    if released() < (6, 6):
        programs = [program for program in programs if not program.section.startswith("tcx")]
    with load(*programs) as obj:
        assert len(obj.programs) == len(programs)


def released() -> tuple[int, ...]:
    return tuple(map(int, os.uname().release.split(".")[:2]))


@pytest.mark.parametrize(("hook", "owner", "answer"), HOOKS, ids=[hook for hook, _, _ in HOOKS])
def test_other_fields_are_refused(tmp_path: Path, hook: str, owner: str, answer: str) -> None:
    """A store to a field that can't be changed, and a field that this place does not give."""
    spec: ContextSpec = getattr(pybpf, owner).__bpf__
    returns = answer.partition(".")[0] if "." in answer else "int"
    fixed: list[CtxField] = [f for f in spec.fields if not f.writable and type(f.type).__name__ == "IntType"]
    lacking = [f.name for f in pybpf.TcContext.__bpf__.fields if spec.field(f.name) is None]  # type: ignore[attr-defined]
    cases = [f"ctx.{f.name} = 1" for f in fixed[:2]] + [f"x = ctx.{name}" for name in lacking[:2]]
    for number, case in enumerate(cases):
        source = f"{HEAD}@{hook}\ndef probe(ctx: {owner}) -> {returns}:\n    {case}\n    return {answer}\n"
        directory = tmp_path / str(number)
        directory.mkdir()
        with pytest.raises(CompileError, match=r"E0701|E0702"):
            build(module(directory, source).probe)
