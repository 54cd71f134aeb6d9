from pybpf import PtRegs, comm, printk, uretprobe, user_str


@uretprobe("/bin/bash", "readline")
def line_read(ctx: PtRegs) -> None:
    printk(f"{comm()}: {user_str(ctx.ret)}")
