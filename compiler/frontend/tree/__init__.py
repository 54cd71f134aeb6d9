"""The typed tree: what the frontend hands on. Every expression has its type and its span; nothing is left implicit.

All of Python's sugar is gone: chained comparisons, `and`/`or` as values, `.get(k, d)`, default arguments, methods
written in the DSL are spelled out with the nodes here. Conversions are explicit nodes, so whoever walks the tree never
decides about widths or None. Operands are evaluated left to right, each once.

Types of expressions (pybpf.compiler.schema.types):
    IntType, BoolType, EnumType     a number in a register
    PtrType(aggregate, space)       a reference to a struct, array, text or bytes in that space
    PtrType(None, PACKET)           an address inside the packet; PACKET_END is only compared
    PtrType(x, KERNEL or USER)      an address outside the program's reach; 0 is None
    PtrType(x, TRUSTED, ...)    a kernel object that may be loaded from; it may be NULL, which is None
    PtrType(x, ARENA)               an object in the program's arena, by its address in user space
    OptionalType(inner)             one of those, or None: (present, value) for numbers, a nullable address for
                                    references
    NoneType                        no value
Aggregates by value do not exist: an expression that makes one (`New`, `Fill`, `Zero`, `TextConst`) has type
PtrType(aggregate, STACK), and is built where it is wanted when it is assigned to a place.
"""

from __future__ import annotations

from pybpf.compiler.frontend.tree.calls import *
from pybpf.compiler.frontend.tree.functions import *
from pybpf.compiler.frontend.tree.maps import *
from pybpf.compiler.frontend.tree.nodes import *
from pybpf.compiler.frontend.tree.operators import *
from pybpf.compiler.frontend.tree.statements import *
from pybpf.compiler.frontend.tree.values import *
