"""Types of the kernel, by name: where they come from, and the Python objects that stand for them.

names.py      a name -> its object, out of the sources that there are
files.py      opens BTF: bundled, of the running kernel, of a file; keeps indexes
classes.py    the objects: classes for structs, enums with their constants
functions.py  signatures of kernel functions; kfuncs
"""
