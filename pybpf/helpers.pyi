"""Every kernel helper under its kernel name: `from pybpf import helpers`, `helpers.bpf_ktime_get_ns()`."""

from pybpf.stdlib.helpers import *  # noqa: F403
