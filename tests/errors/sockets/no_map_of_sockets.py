# python >= 3.11
"""A program for messages at a map that has no sockets."""

from pybpf import SK, HashMap, SkMsgContext, sk_msg, u32, u64

counts = HashMap[u32, u64](max_entries=4)


@sk_msg(map=counts)
def forward(msg: SkMsgContext) -> SK:
    return SK.PASS
