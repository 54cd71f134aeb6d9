"""The compiler: source text in, object bytes out. Imported as `pybpf.compiler`."""
