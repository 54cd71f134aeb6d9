from pybpf import PerfEventArray, Stack, uprobe, u64

samples = PerfEventArray[u64]()
visits = Stack[u64](max_entries=8)


@uprobe("libc", "malloc", sleepable=True)
def allocated(size: u64) -> None:
    visits.push(size)


@uprobe("libc", "free", sleepable=True)
def freed(at: u64) -> None:
    samples.emit(at)
