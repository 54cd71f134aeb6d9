"""The decorators that make a Program of a function: where in the kernel it runs, and what it is given.

Each hook is a Hook with a section name out of libbpf's table (`pybpf.stdlib.sections`), and says how the function's
parameters are filled. The first parameter may be the context, named by its annotation; parameters after it, or all of
them, are the arguments of the probed function or tracepoint.

    base.py          Hook and what hooks share;  typed.py  what decorators look like to a type checker
    tracepoints.py   tracepoints and raw ones
    probes.py        functions of the kernel and system calls, by their registers
    userprobes.py    functions of programs and libraries; USDT
    perf.py          perf events: samples, counters, breakpoints
    btf.py           functions and tracepoints by the kernel's own description of their arguments
    lsm.py           security hooks
    replace.py       functions of other BPF programs
    iterators.py     all objects of a kind, as text or records
    structops.py     tables of operations, such as a congestion control
    syscalls.py      programs that user space calls
    packets.py       XDP, traffic control, TCX, netkit, netfilter, routes, socket filters, flow dissectors
    cgroups.py       what a cgroup's processes may do, and with which addresses
    sockets.py       TCP's events, data of sockets, which socket listens
"""
