"""Every sample object, before every loader."""

from __future__ import annotations

from pathlib import Path

import pytest
from pybpf.compiler.elf.writer import write_object

from tests.elf.samples import SAMPLES
from tests.loaders.harness import JUDGES, check_with


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("judge", JUDGES)
def test_every_loader_takes_it(judge: str, sample: str, tmp_path: Path) -> None:
    check_with(judge, write_object(SAMPLES[sample]()), tmp_path)
