# python >= 3.11
from pybpf import Struct, u32


class Flow(Struct):
    packets: u32


class Tcp(Flow):
    flags: u32
    packets: u32
