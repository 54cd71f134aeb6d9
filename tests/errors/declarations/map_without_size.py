# python >= 3.11
from pybpf import HashMap, u32, u64

counts = HashMap[u32, u64]()
