"""Tracks TCP connections, both directions in one entry, and drops what no connection expects."""

from enum import IntEnum

from pybpf import TC, Array, L, LruHash, PerCpuArray, Struct, TcContext, be16, be32, ktime, tc, u8, u32, u64
from pybpf.net import ETH_P_IP, IPPROTO_TCP, ethhdr, iphdr, tcphdr

SECOND = 1_000_000_000
OFFSET = 0x1FFF


class State(IntEnum):
    NONE = 0
    SYN_SENT = 1
    SYN_RECV = 2
    ESTABLISHED = 3
    FIN_WAIT = 4
    CLOSED = 5


class Pair(Struct):
    """Two ends of a connection, the lower one first."""

    addr: Array[be32, L[2]]
    port: Array[be16, L[2]]


class Counters(Struct):
    packets: u64
    bytes: u64


class Conn(Struct):
    expires: u64
    sent: Array[Counters, L[2]]
    state: u8 = 0
    origin: u8 = 0
    closer: u8 = 0


conns = LruHash[Pair, Conn](max_entries=4096)
changes = PerCpuArray[u64](64)  # from << 3 | to


def timeout(state: u32) -> u64:
    match state:
        case State.SYN_SENT | State.SYN_RECV:
            return 60 * SECOND
        case State.ESTABLISHED:
            return 21_600 * SECOND
        case State.FIN_WAIT:
            return 120 * SECOND
        case _:
            return 10 * SECOND


def next_state(conn: Conn, direction: u32, tcp: tcphdr) -> u32:
    if tcp.rst:
        return State.CLOSED
    match conn.state:
        case State.SYN_SENT:
            if direction != conn.origin and tcp.syn and tcp.ack:
                return State.SYN_RECV
            if direction == conn.origin and tcp.syn and not tcp.ack:
                return State.SYN_SENT
            return State.NONE
        case State.SYN_RECV:
            if direction == conn.origin and tcp.ack and not tcp.syn:
                return State.ESTABLISHED
            return State.SYN_RECV
        case State.ESTABLISHED:
            if tcp.fin:
                conn.closer = u8(direction)
                return State.FIN_WAIT
            return State.ESTABLISHED
        case State.FIN_WAIT:
            if tcp.fin and direction != conn.closer:
                return State.CLOSED
            return State.FIN_WAIT
        case State.CLOSED:
            return State.NONE if tcp.syn else State.CLOSED
        case _:
            return State.NONE


@tc
def conntrack(skb: TcContext) -> TC:
    eth, ip, tcp = skb.parse(ethhdr), skb.parse(iphdr), skb.parse(tcphdr)
    if eth is None or ip is None or tcp is None or eth.h_proto != ETH_P_IP:
        return TC.OK
    if ip.ihl != 5 or ip.protocol != IPPROTO_TCP or ip.frag_off & OFFSET:
        return TC.OK
    if ip.saddr > ip.daddr or (ip.saddr == ip.daddr and tcp.source > tcp.dest):
        direction = 1
        key = Pair(addr=Array([ip.daddr, ip.saddr]), port=Array([tcp.dest, tcp.source]))
    else:
        direction = 0
        key = Pair(addr=Array([ip.saddr, ip.daddr]), port=Array([tcp.source, tcp.dest]))

    now = ktime()
    conn = conns.get(key)
    if conn is None or conn.expires < now:
        if not tcp.syn or tcp.ack or tcp.rst or tcp.fin:
            changes[0] += 1
            return TC.SHOT
        fresh = Conn(
            expires=now + timeout(State.SYN_SENT),
            state=State.SYN_SENT,
            origin=u8(direction),
            sent=Array[Counters, L[2]](),
        )
        fresh.sent[direction] = Counters(packets=1, bytes=skb.len)
        conns[key] = fresh
        changes[State.SYN_SENT] += 1
        return TC.OK
    state = next_state(conn, direction, tcp)
    changes[(conn.state & 7) << 3 | state] += 1
    if state == State.NONE:
        return TC.SHOT
    conn.state = u8(state)
    conn.expires = now + timeout(state)
    conn.sent[direction].packets += 1
    conn.sent[direction].bytes += skb.len
    return TC.OK
