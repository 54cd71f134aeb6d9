from pybpf import Bytes, L, helpers, sizeof, tp_btf


@tp_btf("sched_switch")
def probe(preempt, before, after) -> None:
    helpers.bpf_get_func_arg_cnt(before)
    helpers.bpf_seq_write(before, Bytes[L[8]](), 8)
