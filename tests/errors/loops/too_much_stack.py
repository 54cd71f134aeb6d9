from pybpf import L, Bytes, HashMap, PtRegs, Struct, u64, uprobe


class Name(Struct):
    text: Bytes[L[200]]


names = HashMap[Name, u64](max_entries=64)


@uprobe("libc", "labs")
def pairs(ctx: PtRegs, n: u64) -> None:
    for name in names:
        for other in names:
            for third in names:
                if name.text[0] == other.text[0] == third.text[0]:
                    n += 1
    names[Name(text=bytes(200))] = n
