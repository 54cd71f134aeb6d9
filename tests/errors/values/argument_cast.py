"""What a table of operations may change is changed through the argument, not through another pointer to it."""

from pybpf import StructOps, struct_ops, u32
from pybpf.kernel import sock, tcp_congestion_ops, tcp_sock


class Ten(StructOps, of=tcp_congestion_ops):
    name = "ten"

    @struct_ops
    def cong_avoid(self, sk: sock, ack: u32, acked: u32) -> None:
        tp = tcp_sock(sk)
        tp.snd_cwnd = 10
        tp.srtt_us = 1

    @struct_ops
    def ssthresh(self, sk: tcp_sock) -> u32:
        return 2

    @struct_ops
    def undo_cwnd(self, sk: tcp_sock) -> u32:
        return sk.snd_cwnd
