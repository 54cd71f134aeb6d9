"""bpftrace and bcc beside pybpf: the same tools as `hello` and `opensnoop`, and how each is made to compile only.

bpftrace: `--emit-elf FILE`, which writes the object and loads nothing. bcc: `BPF(text=...)` in a Python process of its
own. No function there has a name that bcc would attach, so none is loaded; but bcc makes the maps as it compiles.

bpftrace looks for tracefs where it is usually mounted, bcc for the headers of a kernel: those of the running one, or
else the newest under /usr/src, which does for programs that use none of the kernel's structs. `in_namespace()` starts a
benchmark once more, in a mount namespace where both are there. That takes root.
"""

from __future__ import annotations

import glob
import os
import platform
import shutil
import sys
from pathlib import Path

__all__ = ["compilers", "in_namespace", "missing", "warm_bcc"]

_MARK = "PYBPF_IN_NAMESPACE"

HELLO_BPFTRACE = r"""tracepoint:syscalls:sys_enter_openat { printf("%s [%d] opens a file\n", comm, pid); }"""

OPENSNOOP_BPFTRACE = r"""
tracepoint:syscalls:sys_enter_openat { @path[tid] = args->filename; }
tracepoint:syscalls:sys_exit_openat /@path[tid]/ {
    printf("%d %s %d %s\n", pid, comm, args->ret, str(@path[tid])); delete(@path[tid]);
}
"""

HELLO_BCC = r"""
int hello(void *ctx) {
    char comm[16];
    bpf_get_current_comm(&comm, sizeof(comm));
    bpf_trace_printk("%s [%d] opens a file", comm, bpf_get_current_pid_tgid() >> 32);
    return 0;
}
"""

OPENSNOOP_BCC = r"""
struct enter { u64 common; long nr, dfd; u64 filename; long flags, mode; };
struct leave { u64 common; long nr, ret; };
struct open { u32 pid; int ret; char comm[16]; char path[256]; };
BPF_HASH(paths, u32, u64, 10240);
BPF_RINGBUF_OUTPUT(opens, 64);
int entering(struct enter *args) {
    u64 path = args->filename;
    u32 tid = bpf_get_current_pid_tgid();
    paths.update(&tid, &path);
    return 0;
}
int leaving(struct leave *args) {
    u64 id = bpf_get_current_pid_tgid(), *path;
    u32 tid = id;
    struct open e = {};
    path = paths.lookup(&tid);
    if (!path)
        return 0;
    e.pid = id >> 32;
    e.ret = args->ret;
    bpf_get_current_comm(&e.comm, sizeof(e.comm));
    bpf_probe_read_user_str(&e.path, sizeof(e.path), (void *)*path);
    paths.delete(&tid);
    opens.ringbuf_output(&e, sizeof(e), 0);
    return 0;
}
"""

_BCC = "/usr/bin/python3"  # bcc belongs to the system's Python
_COMPILE = "from bcc import BPF\nb = BPF(text={text!r})\n"
_AGAIN = """
import time
from bcc import BPF
text = {text!r}
kept = [BPF(text=text)]
times = []
for _ in range({rounds}):
    start = time.process_time()
    kept.append(BPF(text=text))
    times.append((time.process_time() - start) * 1000)
print(*times)
"""


def missing() -> list[str]:
    """Why rows are left out, a line each."""
    if _MARK not in os.environ:
        return ["bpftrace, bcc: left out, they need root"]
    notes = []
    if shutil.which("bpftrace") is None:
        notes.append("bpftrace: left out, it is not installed")
    if not _has_bcc():
        notes.append("bcc: left out, it is not installed (python3-bpfcc)")
    elif not Path(f"/lib/modules/{platform.release()}/build").exists():
        notes.append("bcc: left out, there are no headers of a kernel (linux-headers-cloud-amd64)")
    return notes


def compilers(out: str) -> dict[str, list[str]]:
    """Commands that compile, by name: of those tools that are here."""
    found: dict[str, list[str]] = {}
    left_out = " ".join(missing())
    for name, bpftrace, bcc in (
        ("hello", HELLO_BPFTRACE, HELLO_BCC),
        ("opensnoop", OPENSNOOP_BPFTRACE, OPENSNOOP_BCC),
    ):
        if "bpftrace" not in left_out:
            found[f"bpftrace --emit-elf {name}"] = ["bpftrace", "--emit-elf", f"{out}/{name}.bt.o", "-e", bpftrace]
        if "bcc" not in left_out:
            found[f"bcc BPF(text={name})"] = [_BCC, "-c", _COMPILE.format(text=bcc)]
    return found


def warm_bcc(rounds: int) -> dict[str, list[str]]:
    """Commands that compile again and again in one process, and print the milliseconds of processor time of each."""
    if "bcc" in " ".join(missing()):
        return {}
    texts = {"hello": HELLO_BCC, "opensnoop": OPENSNOOP_BCC}
    return {f"bcc BPF(text={name})": [_BCC, "-c", _AGAIN.format(text=texts[name], rounds=rounds)] for name in texts}


def in_namespace() -> None:
    """Start this process once more where tracefs and headers can be found; nothing is done without root, or there."""
    if _MARK in os.environ or os.geteuid() != 0:
        return
    mounts = "mount -t tracefs none /sys/kernel/tracing; mount -t debugfs none /sys/kernel/debug"
    script = f'{mounts}; {_headers()}; exec "$0" "$@"'
    shell = ["unshare", "-m", "sh", "-c", script, sys.executable, *sys.argv]
    os.execvpe("unshare", shell, {**os.environ, _MARK: "1"})


def _has_bcc() -> bool:
    return Path("/usr/lib/python3/dist-packages/bcc").exists()


def _headers() -> str:
    """Shell commands that let bcc find headers in this mount namespace."""
    release = f"/lib/modules/{platform.release()}"
    common = sorted(glob.glob("/usr/src/linux-headers-*-common"), key=os.path.getmtime)
    built = sorted(glob.glob("/usr/src/linux-headers-*[!n]"), key=os.path.getmtime)
    if not common or not built or Path(release, "build").exists():
        return "true"
    links = f"ln -s {built[-1]} {release}/build; ln -s {common[-1]} {release}/source"
    return f"mount -t tmpfs none /lib/modules; mkdir {release}; {links}"
