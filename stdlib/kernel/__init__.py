"""Types of the kernel, by name: where they come from, and the Python objects that stand for them.

classes.py   the objects: classes for structs, enums with their constants
names.py     a name -> its object, out of the sources that there are
"""
