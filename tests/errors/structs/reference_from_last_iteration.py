from pybpf import HashMap, Struct, TracepointContext, tracepoint, u32, u64


class Point(Struct):
    x: u32
    y: u32


lines = HashMap[Point, u64](max_entries=64)


@tracepoint("sched:sched_switch")
def on_switch(ctx: TracepointContext) -> None:
    last = Point(x=0, y=0)
    for i in range(4):
        lines[last] = i
        last = Point(x=i, y=i * i)
    previous = None
    for i in range(4):
        point = Point(x=i, y=0)
        if previous is not None:
            lines[previous] = i
        previous = point
