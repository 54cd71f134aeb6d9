"""Questions about a function, answered by pure functions: a Function in, a small result out; nothing is cached.

dominators.py  which blocks stand on every way to a block; dominance frontiers
loops.py       natural loops: header, body, depth
liveness.py    which values are live at the edges of blocks
uses.py        who uses each value
places.py      where addresses may point: which accesses can not meet
facts.py       tests that branches above have decided
ranges.py      what is known of an integer's bits and of its smallest and largest value
"""
