from pybpf import PtRegs, kprobe, printk


@kprobe("do_unlinkat")
def registers(ctx: PtRegs) -> None:
    printk(
        f"{ctx.r15} {ctx.r14} {ctx.r13} {ctx.r12} {ctx.bp} {ctx.bx} {ctx.r11} {ctx.r10} {ctx.r9} {ctx.r8}"
        f" {ctx.ax} {ctx.cx} {ctx.dx} {ctx.si}"
    )
