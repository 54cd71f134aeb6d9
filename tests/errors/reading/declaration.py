from pybpf import HashMap, u32

names = HashMap[u32, str](max_entries=8)
