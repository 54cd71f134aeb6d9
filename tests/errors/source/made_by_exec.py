from pybpf import PtRegs, kprobe

made = {}
exec('def probe(file):\n    return None', made)
probe = kprobe("vfs_read")(made["probe"])
