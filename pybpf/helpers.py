"""Every kernel helper under its kernel name: `from pybpf import helpers`, `helpers.bpf_ktime_get_ns()`."""

from pybpf.stdlib.helpers import __dir__ as __dir__
from pybpf.stdlib.helpers import __getattr__ as __getattr__
