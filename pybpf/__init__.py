"""Write eBPF programs in typed Python."""
