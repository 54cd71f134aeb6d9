"""The compiler's intermediate representation: SSA over 64-bit values, close to what BPF can do.

ops.py       values and operations, with the meaning of each as pseudo-code
function.py  blocks, stack slots, functions, the module; how passes walk and edit them
arith.py     the ISA's arithmetic on Python ints
printer.py   the text form; parser.py reads it back
checker.py   what every well-formed module satisfies; run after each pass in tests
interp.py    what a function does, exactly; passes and code generation are tested against it
"""
