from pybpf import HashMap, HashOfMaps, TracepointContext, tracepoint, u32, u64

tables = HashOfMaps[u32, HashMap[u32, u64]](max_entries=16, inner=HashMap[u32, u64](8))


@tracepoint("sched:sched_switch")
def noticed(ctx: TracepointContext) -> None:
    tables.get(1)[3] = 4
    table = tables.get(0)
    table[0] += 1
    if table:
        for key in table:
            del table[key]
    found = tables.get(0)
    if found is not None:
        tables[1] = found
        for key in found:
            del found[key]
