"""Say who opens a file, through the kernel's trace pipe.

    pybpf run examples/hello.py
"""

from pybpf import TracepointContext, comm, load, pid, printk, trace_pipe, tracepoint


@tracepoint("syscalls:sys_enter_openat")
def hello(ctx: TracepointContext) -> None:
    printk(f"{comm()} [{pid()}] opens a file")


if __name__ == "__main__":
    try:
        with load(hello).attach():
            for line in trace_pipe():
                print(line)
    except KeyboardInterrupt:
        pass
