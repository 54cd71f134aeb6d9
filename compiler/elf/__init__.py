"""The object writer: machine code, maps and globals in, the bytes of an ELF relocatable object out.

    model.py    what it is given
    names.py    which names every loader can take
    check.py    what must hold of a model
    code.py     functions -> program sections and their relocations
    data.py     globals -> .rodata, .data, .bss
    maps.py     map declarations -> .maps and their BTF
    info.py     the .BTF and .BTF.ext of a model
    image.py    sections, symbols, relocations -> ELF bytes
    writer.py   `write_object`: all of them in order
    dump.py     an object as text

The rules that loaders impose are told where they are followed; docs of the formats are the ELF-64 object file format
and the kernel's Documentation/bpf/llvm_reloc.rst and libbpf/.
"""
