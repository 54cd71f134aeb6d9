"""A cold `pybpf build` is fast because of what it does not import, and because of the image of its modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Each of these takes one to forty milliseconds to import.
HEAVY = {
    "argparse", "ast", "asyncio", "click", "collections", "contextlib", "copy", "ctypes", "dataclasses", "elftools",
    "enum", "functools", "importlib.metadata", "importlib.util", "inspect", "json", "lark", "linecache", "logging",
    "pathlib", "re", "rich", "shutil", "string", "subprocess", "tempfile", "textwrap", "threading", "tokenize",
    "traceback", "typing", "typing_extensions", "warnings",
    "bisect", "heapq", "struct",  # the modules in C behind them do
}  # fmt: skip
MOST_MODULES = 175  # of pybpf, for a small program: each takes a tenth of a millisecond and more

SCRIPT = """
import sys
before = set(sys.modules)
from pybpf.cli import main
code = main(["build", {file!r}, "-o", {out!r}])
print(code, *sorted(set(sys.modules) - before))
"""


def clean() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**environment, "PYTHONPATH": str(ROOT)}


def test_nothing_heavy_is_imported_to_build(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(
        "from pybpf import TracepointContext, comm, pid, printk, tracepoint\n\n\n"
        '@tracepoint("syscalls:sys_enter_openat")\n'
        "def hello(ctx: TracepointContext) -> None:\n"
        '    printk(f"{comm()} [{pid()}] opens a file")\n'
    )
    script = SCRIPT.format(file=str(tmp_path / "probe.py"), out=str(tmp_path / "probe.o"))
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, env=clean())
    code, *modules = done.stdout.split()
    assert (code, done.stderr) == ("0", "")
    assert HEAVY.isdisjoint(modules), sorted(HEAVY & set(modules))
    ours = [name for name in modules if name.startswith("pybpf")]
    assert not [name for name in ours if name.startswith("pybpf.runtime")]
    assert "pybpf.compiler.passes.unroll" not in ours, "there is one block"
    assert len(ours) <= MOST_MODULES


PROBE = """
import os, sys
sys.path.insert(0, {root!r})
import pybpf.cli.image as image
image.path_of_image = lambda: {path!r}
found = image.install()
import pybpf.compiler.schema.types as types, pybpf.compiler.schema as package
found.save_if_incomplete()
print(sorted(found.used))
print(types.__file__, package.__path__, types.U32, types.__spec__.origin, types.__package__)
"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return tmp_path / "modules.image"


def probe(image: Path, root: Path = ROOT) -> tuple[str, str]:
    """(names of modules that came from the image, what those modules look like)."""
    script = PROBE.format(root=str(root), path=str(image))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=clean(), check=True)
    used, looks = done.stdout.strip().split("\n")
    return used, looks


def test_modules_from_the_image_are_as_if_imported(image: Path) -> None:
    used, looks = probe(image)
    assert used == "[]"
    again, same = probe(image)
    assert "pybpf.compiler.schema.types" in again
    assert same == looks


@pytest.mark.parametrize("content", [b"", b"nonsense", b"N", b"(\x02\x00\x00\x00"])
def test_a_broken_image_does_no_harm(image: Path, content: bytes) -> None:
    image.write_bytes(content)
    assert probe(image)[0] == "[]"
    assert "schema.types" in probe(image)[0]


MADE = """
import sys
sys.path.insert(0, {root!r})
import pybpf.cli.image as image
image.path_of_image = lambda: {path!r}
found = image.install()
made, make = [], found._make
def counted(name):
    module = make(name)
    made.append(module is not None)
    return module
found._make = counted
import pybpf.compiler
from pybpf.compiler.schema import specs, types
from pybpf.compiler import *
specs.Target()
found.save_if_incomplete()
print(sum(made), len(found.used))
for name, module in sorted(sys.modules.items()):
    if name.startswith("pybpf.compiler"):
        spec, (parent, _, last) = module.__spec__, name.rpartition(".")
        print(name, module.__file__, module.__package__, getattr(module, "__path__", None))
        print(spec.origin, spec.parent, spec.has_location, vars(sys.modules[parent])[last] is module)
"""


def test_what_an_image_made_is_as_if_imported(image: Path) -> None:
    """From the second time on modules are made past the import system."""
    code = MADE.format(root=str(ROOT), path=str(image))
    runs = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean(), check=True)
        runs.append(done.stdout.split("\n", 1))
    plain, first, second = runs
    assert plain[0] == "0 0"
    assert first == second
    made, used = map(int, first[0].split())
    assert 0 < made <= used
    assert plain[1] == first[1]


TOGETHER = """
import sys
sys.path.insert(0, {root!r})
import pybpf.cli.image as image
image.path_of_image = lambda: {path!r}
found = image.install()
{imports}
found.save_if_incomplete()
print(*sorted(name for name, entry in image.install().entries.items() if not entry[5]))
"""


def test_what_all_builds_needed_lies_together(image: Path) -> None:
    def common(imports: str) -> set[str]:
        code = TOGETHER.format(root=str(ROOT), path=str(image), imports=imports)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean(), check=True)
        return {name.removeprefix("pybpf.compiler.") for name in done.stdout.split()}

    both = "import pybpf.compiler.schema.types, pybpf.compiler.schema.kernel"
    assert {"schema.types", "schema.kernel"} <= common(both)
    few = common("import pybpf.compiler.schema.types")
    assert "schema.types" in few and "schema.kernel" not in few
    assert common(both) == few
    assert common("from pybpf.compiler.schema import types") == few


def test_a_second_thread_leaves_imports_to_python(image: Path) -> None:
    probe(image)
    code = TOGETHER.format(
        root=str(ROOT),
        path=str(image),
        imports="import threading\n"
        "stop = threading.Event()\n"
        "threading.Thread(target=stop.wait).start()\n"
        "found._make = None\n"
        "from pybpf.compiler.schema import types\n"
        "assert types.__spec__.loader is found\n"
        "stop.set()\n",
    )
    subprocess.run([sys.executable, "-c", code], env=clean(), check=True, timeout=60)


def test_a_changed_source_is_not_taken_from_the_image(image: Path, tmp_path: Path) -> None:
    import shutil

    for folder in ("pybpf", "compiler", "stdlib"):
        shutil.copytree(ROOT / folder, tmp_path / "tree" / folder, symlinks=True)
    tree = tmp_path / "tree"
    probe(image, tree)
    source = tree / "compiler" / "schema" / "types.py"
    source.write_text(source.read_text() + "\n\nU32 = IntType(16)\n")
    used, looks = probe(image, tree)
    assert "schema.types'" not in used and "schema.record" in used
    assert " u16 " in looks
    assert "schema.types'" in probe(image, tree)[0], "the new one is kept in its place"


def test_an_image_that_can_not_be_written_is_done_without(tmp_path: Path) -> None:
    assert probe(tmp_path / "no" / "such" / "modules.image")[0] == "[]"


def test_a_failing_import_is_shown_as_without_the_image(tmp_path: Path) -> None:
    """Python's machinery for imports leaves no frames in tracebacks; nor may the image's."""
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(
        "from pybpf import XDP, XdpContext, xdp\n@xdp\ndef program(ctx: XdpContext) -> XDP:\n    return XDP.PASS\n"
    )
    wrong.write_text("from no_such_module import x\n")
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "import pybpf.cli.image as image\n"
        f"image.path_of_image = lambda: {str(tmp_path / 'image')!r}\n"
        "from pybpf.cli import entry\n"
        "entry()\n"
    )
    said = []
    for file in (wrong, right, wrong):
        command = [sys.executable, "-c", code, "build", str(file), "-o", str(tmp_path / "x.o")]
        said.append(subprocess.run(command, capture_output=True, text=True, env=clean()).stderr)
    assert (tmp_path / "image").exists()
    assert "raised here" in said[0]
    assert said[2] == said[0]
