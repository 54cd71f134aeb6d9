"""Commands entered in every bash. After bashreadline of libbpf-tools."""

from pybpf import L, RingBuffer, Struct, Text, comm, pid, u32, u64, uretprobe, user_str


class Line(Struct):
    pid: u32
    text: Text[L[80]]


lines = RingBuffer[Line](64 * 1024)


@uretprobe("/bin/bash", "readline")
def readline(text: u64) -> None:
    if text and comm() == "bash":
        lines.emit(Line(pid=pid(), text=user_str(text)))
