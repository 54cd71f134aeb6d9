"""C declarations, pasted from a header, as Structs, enums and constants.

    event = cdef('''
        struct event {
            __u32 pid;
            char comm[16];
            union { __u32 code; __u16 parts[2]; };
            __u64 flags : 3;
        };
    ''')

`c.lark` is the grammar; `parse.py` reads text into records of what it declares; `build.py` makes Structs and enums of
those, or types of the kernel.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["cdef"]


def cdef(text: str, *, kernel: bool = False, **types: Any) -> Any:
    """What C declarations declare: one struct or enum itself, several as a namespace whose attributes they are.

    Structs are laid out as clang does. `char name[16]` becomes a Text (in a union Bytes), a pointer a u64; members of
    an anonymous struct or union are found in a field `anon0`, `anon1` and so on, which is zero where it is not given;
    its class, and that of any struct declared inside another, is an attribute of the outer one: `event.event_anon0`.
    A member whose name is a Python keyword has an underscore behind it. `#define NAME number`, enumerators and typedefs
    are names of the namespace too. `types` are what names stand for that the text doesn't declare:
    `cdef(text, ethhdr=ethhdr)`.

    With `kernel=True` the structs are the kernel's (KernelStruct), of which only these members are known: the kernel
    that loads the program says where they lie. Names that the text doesn't declare are those of pybpf.kernel.

    Raises DeclarationTypeError, which names the line.
    """
    from pybpf.stdlib.cdecl.build import build

    return build(text, kernel, types)
