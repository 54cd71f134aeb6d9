"""What programs call: helpers, contexts, packet headers, maps. Imported as `pybpf.stdlib`."""
