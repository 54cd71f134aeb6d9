"""Tests marked `guest`, run inside a VM: one boot, one pytest.

python -m tests.vm.guest --kernel 6.12 [-k EXPRESSION] [--verbose] [FILE ...]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.proofs import collect
from tests.vm.machine import PACKAGES, Machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.vm.machine import Done

ROOT = Path(__file__).parents[2]
# Where tests that also run in VMs may lie: collecting all of them takes a minute there.
PLACES = ("tests/hooks", "tests/maps", "tests/helpers", "tests/stdlib", "tests/isa/test_isa_targets.py")


def run(kernel: str, shared: Path, places: Sequence[str] = (), options: Sequence[str] = ()) -> Done:
    """What pytest says there; what the tests proved is collected here."""
    proofs = shared / "proofs"
    proofs.mkdir(exist_ok=True)
    chosen = places or [place for place in PLACES if (ROOT / place).exists()]
    command = [sys.executable, "-c", GO, "-q", "-ra", "-m", "guest", "-p", "no:cacheprovider", "-p", "no:xdist", "-p",
               "no:hypothesispytest", *options, *chosen]  # fmt: skip
    done = Machine(kernel).run(command, shared, str(ROOT), timeout=1500)
    collect(proofs)
    return done


GO = """
import os, sys, pytest
os.environ["PYBPF_PROOFS"] = os.environ["VM_SHARED"] + "/proofs"
sys.exit(pytest.main(sys.argv[1:]))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", choices=sorted(PACKAGES), required=True)
    parser.add_argument("-k", default="")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("files", nargs="*")
    given = parser.parse_args()
    options = [*(["-k", given.k] if given.k else []), *(["-vv", "--durations=10"] if given.verbose else [])]
    with tempfile.TemporaryDirectory() as shared:
        done = run(given.kernel, Path(shared), given.files, options)
    print(done.output)
    return 1 if done.returncode is None else done.returncode


if __name__ == "__main__":
    sys.exit(main())
