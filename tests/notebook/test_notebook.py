"""Programs in IPython: what cells compile to, what they show, what their mistakes look like."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.xdist_group("notebook")


def execute(notebook: Any) -> list[list[Any]]:
    """Run the notebook in a kernel of its own; the outputs of each code cell."""
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=False)
    client.execute(cwd=str(EXAMPLES), env={**os.environ, "PYTHONPATH": str(EXAMPLES.parent)})
    return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]


def cells(*sources: str) -> list[list[Any]]:
    """Outputs of code cells; those that start with `# raises` may."""
    notebook = nbformat.v4.new_notebook()
    for source in sources:
        cell = nbformat.v4.new_code_cell(source)
        if source.startswith("# raises"):
            cell.metadata["tags"] = ["raises-exception"]
        notebook.cells.append(cell)
    return execute(notebook)


def plain(text: str) -> str:
    return re.sub("\x1b\\[[0-9;]*m", "", text)


def shown_error(outputs: list[Any]) -> str:
    (error,) = [output for output in outputs if output.output_type == "error"]
    text = plain("\n".join(error.traceback))
    assert "Traceback" not in text and "site-packages" not in text
    return text


DECLARATIONS = """\
from pybpf import HashMap, TracepointContext, build, pid, tracepoint, u32, u64

seen = HashMap[u32, u64](max_entries=64)


def one() -> u64:
    return 1
"""
PROGRAM = """\
@tracepoint("syscalls:sys_enter_openat")
def hello(ctx: TracepointContext) -> None:
    seen[pid()] += one()
"""
WRONG = """\
# raises
@tracepoint("syscalls:sys_enter_openat")
def wrong(ctx: TracepointContext) -> None:
    seen[pid()] = seen.get(pid())

build(wrong)
"""


@pytest.fixture(scope="module")
def outputs() -> list[list[Any]]:
    return cells(
        DECLARATIONS,
        PROGRAM,
        "hello",
        "build(hello)",
        WRONG,
        "wrong",
        "# raises\nfrom pybpf import Array, u8\n\nArray[u8, 0]",
        "print(build(hello).disassemble())",
        PROGRAM.replace("one()", "2"),
        "print(build(hello).disassemble())",
    )


def test_a_program_shows_its_source_beside_its_bytecode(outputs: list[list[Any]]) -> None:
    html = outputs[2][0]["data"]["text/html"]
    assert "seen[pid()] += one()" in html
    assert "call bpf_get_current_pid_tgid#14" in html
    assert "In[2]" in html
    assert outputs[2][0]["data"]["text/plain"].startswith("<Program hello")


def test_an_object_shows_its_maps_and_programs(outputs: list[list[Any]]) -> None:
    html = outputs[3][0]["data"]["text/html"]
    assert "seen" in html and "u32 → u64" in html
    assert "seen[pid()] += one()" in html


def test_a_mistake_is_shown_in_its_cell(outputs: list[list[Any]]) -> None:
    text = shown_error(outputs[4])
    assert "error[E" in text
    assert "--> In[5]:4:" in text
    assert "seen[pid()] = seen.get(pid())" in text


def test_a_program_with_a_mistake_shows_the_mistake(outputs: list[list[Any]]) -> None:
    assert "--&gt; In[5]:4:" in outputs[5][0]["data"]["text/html"]


def test_a_wrong_declaration_is_shown_in_its_cell(outputs: list[list[Any]]) -> None:
    text = shown_error(outputs[6])
    assert "error[E0003]" in text
    assert "--> In[7]:4:" in text
    assert "Array[u8, 0]" in text


def test_a_cell_run_again_replaces_the_program(outputs: list[list[Any]]) -> None:
    first, second = outputs[7][0]["text"], outputs[9][0]["text"]
    assert "+= one()" in first and "+= 2" in second


@pytest.mark.kernel
def test_the_example_notebook_traces_this_machine() -> None:
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")
    notebook = nbformat.read(EXAMPLES / "opensnoop.ipynb", as_version=4)
    outputs = execute(notebook)
    assert "text/html" in outputs[2][0]["data"]
    assert "may be None" in shown_error(outputs[3])
    lines = outputs[4][0]["text"].split("\n")
    assert any(line.endswith("/etc/hostname") for line in lines)
    assert any("-2 /no/such/file" in line for line in lines)
    assert "text/html" in outputs[5][0]["data"]


def test_the_example_notebook_is_kept_without_outputs() -> None:
    notebook = nbformat.read(EXAMPLES / "opensnoop.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)
