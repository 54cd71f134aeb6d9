# python >= 3.11
from pybpf import HashMp, u32, u64
