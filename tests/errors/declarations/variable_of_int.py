# python >= 3.11
from pybpf import var

total = var(int, 0)
