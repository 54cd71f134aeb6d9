"""`python -m pybpf.cli`."""

from pybpf.cli import entry

entry()
