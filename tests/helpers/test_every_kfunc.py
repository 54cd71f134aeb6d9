"""Every function of the kernel that a program here has arguments for, called in every type of program that may.

tests/helpers/kernel_functions.py writes the programs. What the language has no value for (an object that a program
allocates) is refused by the language, with E1321; slices to write to, where packets are not written, with E1347.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

import pytest

from pybpf import CompileError, Target, build, load
from pybpf.compiler.diagnostics import HelperSleeps, KfuncUnsupported, NoSliceToWrite
from pybpf.runtime.errors import LoadError
from pybpf.stdlib.kernel.functions import function
from tests.helpers.kernel_functions import module
from tests.helpers.programs import PLACES
from tests.helpers.test_every_helper import here

if TYPE_CHECKING:
    from pathlib import Path

    from pybpf import Object

NEWEST = Target(kernel=(6, 18))
REFUSED = (HelperSleeps, KfuncUnsupported, NoSliceToWrite)
LOCKED = ("LSM",)
KEYS = [key for key in PLACES if "/" not in key and key not in LOCKED]
# Functions whose signature is another in the kernel that runs the tests: cgroup_rstat_updated(css, cpu) since 6.16.
OTHERS = ("cgroup_rstat_updated",)


def compiled(key: str, tmp_path: Path) -> dict[str, Object]:
    text, names = module(key)
    path = tmp_path / f"kfuncs_in_{key.lower()}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    made = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    found, wrong = {}, []
    for name in names:
        try:
            found[name] = build(getattr(made, f"call_{name}"), target=NEWEST)
        except CompileError as error:
            if not all(isinstance(said, REFUSED) for said in error.diagnostics):
                wrong.append(f"{name}: {error}")
    assert not wrong, "\n".join(wrong)
    return found


@pytest.mark.kernel
@pytest.mark.parametrize("key", KEYS)
def test_kfuncs(key: str, tmp_path: Path) -> None:
    if here() < (6, 17):
        pytest.skip("this kernel lacks many of the functions")
    wrong, taken = [], []
    for name, program in compiled(key, tmp_path).items():
        if name in OTHERS or function(name) is None:
            continue
        assert f"extern {name}\n" in program.disassemble(), name
        try:
            with load(program):
                taken.append(name)
        except LoadError as error:
            wrong.append(f"{name}: {error}")
    assert not wrong, "\n".join(wrong)
    assert "bpf_rcu_read_lock" in taken and "bpf_strlen" in taken


def test_many_are_called() -> None:
    """Not all are left out for want of arguments: those of tasks, cgroups and CPU masks are not."""
    called = {name for key in KEYS for name in module(key)[1]}
    assert {
        "bpf_task_acquire",
        "bpf_cgroup_ancestor",
        "bpf_cpumask_and",
        "bpf_strncasecmp",
        "bpf_skb_ct_lookup",
    } - called <= {
        "bpf_skb_ct_lookup",
        "bpf_strncasecmp",
    }
    assert len(called) > 60
