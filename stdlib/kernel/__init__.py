"""Types of the kernel, by name: where they come from, and the Python objects that stand for them.

    names.py      a name -> its object, out of the sources that there are
    files.py      opens BTF: bundled, of the running kernel, of a file; keeps indexes
    classes.py    the objects: classes for structs, enums with their constants
    declared.py   structs that the user declares, of the members that a program needs
    functions.py  signatures of kernel functions; kfuncs
    stub.py       all types, for type checkers

`pybpf.kernel` is what programs import.
"""
