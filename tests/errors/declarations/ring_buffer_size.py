# python >= 3.11
from pybpf import RingBuffer, u64

events = RingBuffer[u64](1000)
