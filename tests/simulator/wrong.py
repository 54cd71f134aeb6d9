"""A program that the compiler refuses."""

from pybpf import HashMap, PtRegs, Struct, u32, u64, uprobe


class Total(Struct):
    count: u32


totals = HashMap[u32, Total](max_entries=2)


@uprobe("c", "malloc")
def unchecked(ctx: PtRegs, key: u64) -> None:
    totals.get(u32(key)).count += 1  # type: ignore[union-attr]
