"""What README.md shows is what happens: its program compiles, its diagnostic and its command lines are real."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import pybpf
import pybpf.net
from pybpf import build
from pybpf.building import check
from pybpf.cli import command
from pybpf.cli.module import import_file, programs_of
from pybpf.cli.table import parse
from pybpf.compiler.diagnostics.catalogue import catalogue
from pybpf.compiler.diagnostics.render import render_all
from pybpf.stdlib import process
from pybpf.stdlib.summaries import counters, histograms, limits, stats

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
FIREWALL = """\
from pybpf import XDP, HashMap, XdpContext, be32, u32, u64, xdp
from pybpf.net import ethhdr, iphdr

blocked = HashMap[be32, u32](max_entries=1024)
dropped = HashMap[u32, u64](max_entries=1024)


@xdp
def firewall(pkt: XdpContext) -> XDP:
    eth = pkt.parse(ethhdr)
    ip = pkt.parse(iphdr)
    if eth is None or ip is None:
        return XDP.PASS
    rule = blocked.get(ip.saddr)
    dropped[rule] += 1
    return XDP.DROP
"""


def test_the_program_of_the_readme_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)  # restores sys.path
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "readme_program.py").write_text(block)
    made = build(*programs_of(import_file(str(tmp_path / "readme_program.py"))))
    assert list(made.programs) == ["enter", "leave"]
    assert made.warnings == ()


def test_the_diagnostic_of_the_readme_is_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "firewall.py").write_text(FIREWALL)
    text = render_all(check(*programs_of(import_file(str(tmp_path / "firewall.py")))))
    assert re.sub("^  ", "", README.split("  ```\n")[1], flags=re.MULTILINE).strip("\n") == text


@pytest.mark.parametrize("line", re.findall(r"^    pybpf (.*?)(?:  +#.*)?$", README, re.MULTILINE))
def test_the_command_lines_of_the_readme_are_right(line: str) -> None:
    name, *words = line.split()
    assert parse(command(name), words) is not None


@pytest.mark.parametrize(
    "page",
    ["README.md", "CONTRIBUTING.md", "docs/kernel-types.md", "docs/semantics.md", "docs/stdlib.md"],
)
def test_links_and_files_that_pages_name_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    named = re.findall(r"\]\(([\w./]+)\)", text)
    named += re.findall(r"`((?:tests|compiler|stdlib|pybpf|docs|tools)/[\w./]+)`", text)
    missing = [name for name in named if not (ROOT / name).exists()]
    assert missing == []


def test_codes_that_pages_name_exist() -> None:
    for page in ("README.md", "docs/semantics.md"):
        for code in re.findall(r"\b[EW]\d{4}\b", (ROOT / page).read_text()):
            assert code in catalogue()


def test_the_code_of_the_page_on_kernel_types_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "kernel-types.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert [member.name for member in names["file___mine"].__bpf__.members] == ["f_path"]
    assert len(names["task_struct___old"].__bpf__.members) == 3
    assert [field.name for field in names["event"].__bpf__.fields] == ["pid", "comm", "anon0", "flags"]


def test_the_programs_of_the_page_on_packets_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "packets.md").read_text(), re.DOTALL)
    (tmp_path / "packet_programs.py").write_text(block)
    made = build(*programs_of(import_file(str(tmp_path / "packet_programs.py"))))
    assert list(made.programs) == ["forward", "rewrite", "leave_mark", "find_mark"] and made.warnings == ()


@pytest.mark.parametrize(
    "block", re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "functions.md").read_text(), re.DOTALL)
)
def test_the_programs_of_the_page_on_functions_compile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"functions_{abs(hash(block))}"
    (tmp_path / f"{name}.py").write_text(block)
    made = build(*programs_of(import_file(str(tmp_path / f"{name}.py"))))
    assert made.programs and made.warnings == ()


def test_the_programs_of_the_page_on_probes_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "probes.md").read_text(), re.DOTALL)
    names = []
    for number, block in enumerate(blocks[:-1]):  # the last one attaches
        (tmp_path / f"probes_{number}.py").write_text(block)
        module = import_file(str(tmp_path / f"probes_{number}.py"))
        made = build(*programs_of(module), target=getattr(module, "TARGET", None))
        assert made.warnings == ()
        names += made.programs
    assert names == ["enter", "leave", "opening", "opened", "timed"]


def test_the_programs_of_the_page_on_sockets_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "sockets.md").read_text(), re.DOTALL)
    declared = [re.split(r"\n(?=with load|print)", block)[0] for block in blocks]  # what follows loads them
    (tmp_path / "sockets_page.py").write_text("\n".join(declared))
    made = build(*programs_of(import_file(str(tmp_path / "sockets_page.py"))))
    assert list(made.programs) == ["to_the_proxy", "opened", "forward", "any_port", "count"]
    assert made.warnings == ()


def test_the_code_of_the_page_on_simulation_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the examples that it speaks of."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "simulation.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {
        **vars(import_file(str(ROOT / "examples" / "opensnoop.py"))),
        "Simulation": pybpf.Simulation,
    }
    exec(blocks[1], names)
    names["test_opensnoop"]()
    names = dict(vars(import_file(str(ROOT / "examples" / "xdp_count.py"))))
    exec(blocks[0], names)
    names["test_counts_tcp"]()


def test_the_programs_of_the_page_on_objects_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    names = []
    for number, block in enumerate(
        re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "objects.md").read_text(), re.DOTALL)
    ):
        (tmp_path / f"objects_{number}.py").write_text(block)
        module = import_file(str(tmp_path / f"objects_{number}.py"))
        made = build(*programs_of(module), target=module.TARGET)
        assert made.warnings == ()
        names += made.programs
    assert names == ["keep", "schedule"]


def test_the_programs_of_the_page_on_helpers_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    names = []
    for number, block in enumerate(
        re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "helpers.md").read_text(), re.DOTALL)
    ):
        (tmp_path / f"helpers_{number}.py").write_text(block)
        module = import_file(str(tmp_path / f"helpers_{number}.py"))
        made = build(*programs_of(module), target=getattr(module, "TARGET", None))
        assert made.warnings == ()
        names += made.programs
    assert names == ["probe", "count", "locate", "sample"]


def test_the_code_of_the_page_on_the_standard_library_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)  # restores sys.path
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "stdlib.md").read_text(), re.DOTALL)
    (tmp_path / "stdlib_page.py").write_text("\n".join(blocks))
    for program in programs_of(import_file(str(tmp_path / "stdlib_page.py"))):
        assert build(program).warnings == ()


def test_the_page_on_the_standard_library_names_what_there_is() -> None:
    text = (ROOT / "docs" / "stdlib.md").read_text()
    summed = [name for module in (histograms, counters, stats, limits) for name in module.__all__]
    parsed = [name for name in pybpf.net.__all__ if name.startswith("parse_")]
    assert [name for name in (*summed, *parsed, *process.__all__) if name not in text] == []
