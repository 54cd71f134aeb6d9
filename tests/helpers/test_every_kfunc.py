"""Every function of the kernel that a program here has arguments for, called in every type of program that may.

tests/helpers/kernel_functions.py writes the programs. What the language has no value for it refuses, with E1321; what
a test has no such object for is not written.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import CompileError, Target, build, load
from pybpf.compiler.diagnostics import HelperSleeps, KfuncUnsupported, NoSliceToWrite, OpaqueForbidden
from pybpf.runtime.errors import LoadError, NotPermitted
from pybpf.stdlib.kfuncs import names, spec_of
from tests.helpers.kernel_functions import CONSTRUCTS, SPECIAL, kinds_of, module, struct_ops
from tests.helpers.programs import PLACES
from tests.helpers.test_every_helper import here
from tests.proofs import prove

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pybpf import Object

NEWEST = Target(kernel=(6, 18))
KEYS = [key for key in PLACES if "/" not in key]
LOCKED = ("LSM",)  # what the machine that this was written on does not load
KNOWN = frozenset(names())
REFUSED = (HelperSleeps, KfuncUnsupported, NoSliceToWrite, OpaqueForbidden)
# Functions whose signature is another in a kernel that runs the tests: cgroup_rstat_updated(css, cpu) since 6.16.
# And one that is there, but for no program, in a kernel without CONFIG_SYSTEM_DATA_VERIFICATION.
OTHERS = ("cgroup_rstat_updated", "bpf_verify_pkcs7_signature")


def since(name: str, key: str) -> tuple[int, ...]:
    """The first release in which a program of a type may call a function."""
    spec = spec_of(name)
    assert spec is not None
    own = next((release for kind, release in spec.programs.items() if kind.partition("/")[0] == key), "")
    objects = "6.6" if name in CONSTRUCTS else ""
    return max(tuple(int(part) for part in text.split(".")) for text in (spec.since or "5.13", own, objects) if text)


def imported(name: str, text: str, tmp_path: Path) -> Any:
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    made = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def compiled(key: str, tmp_path: Path, only: Iterable[str] = ()) -> dict[str, Object]:
    text, found = module(key, only)
    made = imported(f"kfuncs_in_{key.lower()}", text, tmp_path)
    objects, wrong = {}, []
    for name in found:
        try:
            objects[name] = build(getattr(made, f"call_{name}"), target=NEWEST)
        except CompileError as error:
            if not all(isinstance(said, REFUSED) for said in error.diagnostics):
                wrong.append(f"{name}: {error}")
            continue
        assert f"extern {name}\n" in objects[name].disassemble(), name
        prove_all(objects[name], f"compiled {key}")
    assert not wrong, "\n".join(wrong)
    return objects


def prove_all(program: Object, what: str) -> None:
    """Say so of all functions that the program calls."""
    for line in program.disassemble().splitlines():
        name = line.partition("extern ")[2].strip()
        if name in KNOWN:
            prove("kfunc", name, what)


def accepted(key: str, objects: dict[str, Object]) -> list[str]:
    """Those that the verifier takes, of the functions that this kernel has."""
    wrong, taken = [], []
    for name, program in objects.items():
        if since(name, key) > here():
            continue
        try:
            with load(program):
                taken.append(name)
                prove_all(program, f"accepted {key}")
        except NotPermitted:
            continue  # a type that is locked down
        except LoadError as error:
            if name not in OTHERS and not _is_absent(error):
                wrong.append(f"{name}: {error}")
    assert not wrong, "\n".join(wrong)
    return taken


def _is_absent(error: LoadError) -> bool:
    """Whether the kernel is built without a function, or has it in a module that is not there."""
    return "not found in kernel" in str(error)


@pytest.mark.kernel
@pytest.mark.parametrize("key", KEYS)
def test_kfuncs(key: str, tmp_path: Path) -> None:
    if here() < (6, 17):
        pytest.skip("this kernel lacks many of the functions")
    taken = accepted(key, compiled(key, tmp_path))
    assert key in LOCKED or ("bpf_rcu_read_lock" in taken and "bpf_strlen" in taken)


# What the first type of program can call, but not to any use: those of sockets write to no packet.
FIRST = {"bpf_dynptr_slice_rdwr": "XDP"}


@pytest.mark.kernel
@pytest.mark.guest
def test_kfuncs_somewhere(tmp_path: Path) -> None:
    """Each function that this kernel has, by the first type of program that may call it."""
    chosen: dict[str, list[str]] = {}
    for name in names():
        spec = spec_of(name) if not name.startswith("__") else None
        if spec is None:
            continue
        kinds = [SPECIAL[name][0]] if name in SPECIAL else kinds_of(spec)
        kinds = [key for key in sorted(kinds, key=LOCKED.__contains__) if since(name, key) <= here()]
        kinds = [FIRST[name]] if FIRST.get(name) in kinds else kinds
        key = next((key for key in kinds if name in module(key, [name])[1]), None)
        if key is not None:
            chosen.setdefault(key, []).append(name)
    for key, found in chosen.items():
        accepted(key, compiled(key, tmp_path, found))


@pytest.mark.kernel
@pytest.mark.guest
def test_functions_of_tables_of_operations(tmp_path: Path) -> None:
    """What only congestion controls may call."""
    made = imported("kfuncs_of_tables", struct_ops(here()), tmp_path)
    taken = []
    for table in made.TABLES:
        name = table.__name__.removeprefix("of_")
        program = build(table, target=NEWEST)
        assert f"extern {name}\n" in program.disassemble()
        prove("kfunc", name, "compiled STRUCT_OPS")
        try:
            with load(program):
                taken.append(name)
                prove("kfunc", name, "accepted STRUCT_OPS")
        except LoadError as error:
            assert _is_absent(error), f"{name}: {error}"
    assert "tcp_reno_ssthresh" in taken


def test_many_are_called() -> None:
    """Not all are left out for want of arguments: those of tasks, cgroups, CPU masks and objects are not."""
    called = {name for key in KEYS for name in module(key)[1]}
    assert {
        "bpf_task_acquire", "bpf_cgroup_ancestor", "bpf_cpumask_and", "bpf_rbtree_add_impl", "bpf_iter_task_next",
        "bpf_skb_ct_lookup", "bpf_crypto_ctx_release", *CONSTRUCTS, *SPECIAL,
    } <= called  # fmt: skip
    assert len(called) > 120
