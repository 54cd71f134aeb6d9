"""BPF Type Format: types in, `.BTF` and `.BTF.ext` bytes out, and back.

    types.py    a record a BTF kind
    strings.py  the string table
    build.py    the language's types -> deduplicated BTF types
    encode.py   BTF types -> bytes
    decode.py   bytes -> BTF types, whoever wrote them
    index.py    what it takes to read one type of 100,000
    kernel.py   BTF of a kernel -> the types that programs name
    local.py    those that a program names -> what its own BTF says of them
    ext.py      function, line and CO-RE records
    dump.py     BTF types as C

Facts are from the kernel's Documentation/bpf/btf.rst and include/uapi/linux/btf.h.
"""
