"""Every helper, called in every type of program that may: compiled, and taken by the verifier of the running kernel.

tests/helpers/programs.py writes the programs.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pybpf import CompileError, Target, build, load
from pybpf.runtime.errors import LoadError
from pybpf.stdlib.helpers import names, spec_of
from pybpf.stdlib.mapkinds import KINDS
from tests.helpers.programs import CONSTRUCTS, HEAD, PLACES, kinds_of, source
from tests.proofs import prove

if TYPE_CHECKING:
    from pathlib import Path

NEWEST = Target(kernel=(6, 18))
