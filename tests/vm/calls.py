"""Loads and runs, inside a VM, the programs of tests/stdlib/test_kfuncs.py and tests/programs/answers.txt that are
about instructions as text, references, externs and subprograms, as far as the kernel has what they call, and those of
tests/programs/functions.txt. Prints what is wrong, as JSON.

    python -m tests.vm.calls
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from pybpf import XDP, CompileError, XdpContext, i32, ksym, load, xdp
from tests.programs import test_programs
from tests.stdlib import test_kfuncs

TABLE = ("asm_", "held_", "releasing_", "subprog_")
# What these kernels lack, by the first release that has it.
SINCE = {
    "tasks": (6, 2),
    "cgroups": (6, 4),
    "regions": (6, 6),
    "declared": (6, 2),
    "if_there_is_one": (6, 4),
    "texts": (6, 17),
}
active = ksym(i32, "bpf_prog_active", percpu=True)


@xdp
def percpu(pkt: XdpContext) -> XDP:
    test_kfuncs.seen[0] = active + 7
    return XDP.TX


def wrong(program: Any, results: Any, expected: list[int], retval: int | None) -> str:
    """How a program goes wrong; "" where it answers as it should."""
    try:
        with load(program) as obj:
            answer = obj.programs[program.name].test(bytes(64)).retval
            found = [obj[results][n] for n in range(len(expected))] if expected else []
    except (CompileError, Exception) as error:
        return f"{type(error).__name__}: {error}"
    if retval is not None and answer != retval:
        return f"returned {answer}"
    return "" if found == expected else f"{found} instead of {expected}"


def main() -> None:
    major, minor = os.uname().release.split(".")[:2]
    here = int(major), int(minor)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
    said: dict[str, str] = {}
    for program, expected in test_kfuncs.ANSWERS.items():
        if SINCE.get(program.name, (0, 0)) <= here:
            given = expected[:2] if program.name == "if_there_is_one" else expected  # not all of it is there
            said[program.name] = wrong(program, test_kfuncs.seen, given, XDP.TX)
    said["percpu"] = wrong(percpu, test_kfuncs.seen, [7], XDP.TX)
    said["configuration"] = wrong(test_kfuncs.configuration, test_kfuncs.seen, [], XDP.TX)
    known = [parameter.values[0] for parameter in test_programs.cases("answers.txt")]
    chosen = [case for case in known if case.name.startswith(TABLE)]
    for case in [*chosen, *[parameter.values[0] for parameter in test_programs.cases("functions.txt")]]:
        module = imported(case)
        said[case.name] = wrong(module.prog, module.res, [case.answer], None)
    print(json.dumps({"count": len(said), "wrong": {name: text for name, text in said.items() if text}}))


def imported(case: Any) -> Any:
    path = Path(tempfile.mkdtemp()) / f"{case.name}.py"
    path.write_text(case.source())
    spec = importlib.util.spec_from_file_location(case.name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[case.name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
