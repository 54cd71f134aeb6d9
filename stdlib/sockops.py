"""Events of `@sockops` programs, the flags that ask for them, and the states of TCP: include/uapi/linux/bpf.h."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["SockOp", "SockOpsFlag", "TcpState"]


class SockOp(IntEnum):
    """What `ops.op` says has happened, or is asked for: BPF_SOCK_OPS_* without that."""

    VOID = 0
    TIMEOUT_INIT = 1  # reply: the timeout of SYN and SYN-ACK, in jiffies
    RWND_INIT = 2  # reply: the first receive window, in packets
    TCP_CONNECT_CB = 3
    ACTIVE_ESTABLISHED_CB = 4
    PASSIVE_ESTABLISHED_CB = 5
    NEEDS_ECN = 6  # reply: 1 where the connection needs ECN
    BASE_RTT = 7
    RTO_CB = 8  # args: retransmissions, the timeout, its backoff
    RETRANS_CB = 9
    STATE_CB = 10  # args: the old state, the new one
    TCP_LISTEN_CB = 11
    RTT_CB = 12
    PARSE_HDR_OPT_CB = 13
    HDR_OPT_LEN_CB = 14
    WRITE_HDR_OPT_CB = 15
    TSTAMP_SCHED_CB = 16
    TSTAMP_SND_SW_CB = 17
    TSTAMP_SND_HW_CB = 18
    TSTAMP_ACK_CB = 19
    TSTAMP_SENDMSG_CB = 20


class SockOpsFlag(IntEnum):
    """Bits of `ops.set_flags()`: BPF_SOCK_OPS_*_FLAG."""

    RTO_CB = 1
    RETRANS_CB = 2
    STATE_CB = 4
    RTT_CB = 8
    PARSE_ALL_HDR_OPT_CB = 16
    PARSE_UNKNOWN_HDR_OPT_CB = 32
    WRITE_HDR_OPT_CB = 64


class TcpState(IntEnum):
    """A TCP connection's state: BPF_TCP_* without that."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    TIME_WAIT = 6
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11
    NEW_SYN_RECV = 12
    BOUND_INACTIVE = 13
