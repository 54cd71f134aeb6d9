# python >= 3.11
from pybpf import Array, L, Struct, u8


class Packet(Struct):
    data: Array[u8, L[0]]
