from pybpf import HashMap, L, PtRegs, Struct, Text, kprobe, u32, uprobe


class Config(Struct):
    level: u32


@uprobe("libc", "puts")
def puts(ctx: PtRegs, text: Text[L[64]]) -> None:
    pass


@uprobe("/usr/bin/true", "configure")
def configure(config: Config) -> None:
    pass


@uprobe("libc", "getenv")
def getenv(ctx: PtRegs, name: str) -> None:
    pass
