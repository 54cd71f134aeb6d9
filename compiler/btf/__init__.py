"""BPF Type Format: types in, `.BTF` and `.BTF.ext` bytes out, and back.

    types.py    a record a BTF kind
    strings.py  the string table
    build.py    the language's types -> deduplicated BTF types
    encode.py   BTF types -> bytes
    decode.py   bytes -> BTF types, whoever wrote them
    ext.py      function, line and CO-RE records
    dump.py     BTF types as C

Facts are from the kernel's Documentation/bpf/btf.rst and include/uapi/linux/btf.h.
"""
