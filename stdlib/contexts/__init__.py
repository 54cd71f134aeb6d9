"""What programs are given: the context classes that annotate a program's first parameter.

A class carries its ContextSpec as `__bpf__`. Plain methods on it are written in the language itself and inlined, with
`self` the context. Fields are properties to a type checker only; the compiler and the simulator read the spec.

    base.py       Context, and Packet: what can be read in place
    tracing.py    registers, raw tracepoints, tracepoints (whose fields come from the tracepoint's own format)
    iterators.py  what iterators are given, as BTF has it
    packets.py    XDP
    skb.py        socket buffers: traffic control, routes, socket filters, flow dissectors, and the base for others
    netfilter.py  netfilter
    cgroups.py    a cgroup's calls and packets
    sockets.py    TCP's events, messages, lookups
    lirc.py       infrared decoders
    rows.py       how tables of fields are written that several contexts choose from
"""
