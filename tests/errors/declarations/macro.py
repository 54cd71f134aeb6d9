# python >= 3.11
"""Numbers of the kernel's headers that its BTF does not have."""

from pybpf.kernel import AF_INET, sock

print(AF_INET, sock)
