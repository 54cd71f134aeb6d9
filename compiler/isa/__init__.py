"""The BPF instruction set (RFC 9669 and what Linux adds to it), as data and as text.

opcodes.py   numbers of classes, codes, modes; operators; negated and swapped comparisons
insn.py      one instruction; bytes to instructions and back
levels.py    which ISA level (v1 to v4) an instruction needs, and whether it is one at all
disasm.py    instruction to text, in the kernel's own pseudo-C
asm.py       text to instructions, with labels (the grammar is there too)
"""
