"""A command as root inside a stock Debian kernel: QEMU without acceleration, on this machine's own files, read-only.

    machine = Machine("6.1")
    done = machine.run([sys.executable, "script.py"], shared=tmp_path)
    assert done.returncode == 0, done.output

A shell is there after 4 to 6 seconds, Python after 9. Inside, $VM_SHARED is the directory `shared`, which both sides
may write; /tmp, /var/tmp and /run are the VM's own, but for the working directory and the command's, which are there
wherever they are; tracefs, bpffs and cgroup2 are mounted. Kernels come from Debian's packages,
which are downloaded and unpacked into a cache, not installed. Needs qemu-system-x86 and busybox-static, and root.
"""

from __future__ import annotations

import glob
import gzip
import lzma
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Done", "Machine", "missing"]

PACKAGES = {"6.1": "linux-image-cloud-amd64", "6.12": "linux-image-6.12-cloud-amd64"}
CACHE = Path.home() / ".cache" / "vmrun"
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
MODULES = ("virtio_pci", "virtiofs", "veth", "sch_ingress", "cls_bpf", "cls_matchall", "act_bpf", "dummy")

# Runs as process 1 of the initial file system, then hands over to SECOND on the machine's own.
FIRST = r"""#!/bin/busybox sh
B=/bin/busybox
R=/mnt
$B mount -t proc p /proc; $B mount -t sysfs s /sys; $B mount -t devtmpfs d /dev
for m in $($B cat /mod/order); do $B insmod /mod/$m; done
$B mount -t virtiofs -o ro rootfs $R || $B poweroff -f
for d in proc sys dev; do $B mount -o bind /$d $R/$d; done
$B mkdir -p $R/dev/shm $R/dev/pts
$B mount -t tmpfs t $R/dev/shm; $B mount -t devpts p $R/dev/pts
for d in run var/tmp tmp; do $B mount -t tmpfs t $R/$d; done
$B mkdir $R/run/host; $B mount -o bind $R $R/run/host
$B mkdir $R/run/vm; $B mount -t virtiofs share $R/run/vm || $B poweroff -f
$B mount -t tracefs t $R/sys/kernel/tracing; $B mount -t debugfs t $R/sys/kernel/debug
$B mount -t bpf b $R/sys/fs/bpf; $B mount -t cgroup2 c $R/sys/fs/cgroup; $B mount -t securityfs s $R/sys/kernel/security
$B ip link set lo up
$B mount -t tmpfs t $R/boot; $B ln -s /run/vm/config $R/boot/config-$($B uname -r)
exec $B switch_root $R /bin/busybox sh /run/vm/second
"""
OWN = ("/run", "/tmp", "/var/tmp")  # of the VM; the machine's own are below /run/host
SECOND = """/bin/sh /run/vm/command > /run/vm/output 2>&1 < /dev/null
echo $? > /run/vm/status
/bin/busybox poweroff -f
"""


class Done(NamedTuple):
    """How the command ended (None: it did not), and what it wrote."""

    returncode: int | None
    output: str


def missing() -> str:
    """Why there can be no VM on this machine; empty if there can."""
    if os.geteuid() != 0:
        return "a VM needs root"
    for tool in ("qemu-system-x86_64", "/bin/busybox", VIRTIOFSD):
        if shutil.which(tool) is None:
            return f"a VM needs {os.path.basename(tool)}"
    return ""


class Machine:
    """A VM with a kernel of PACKAGES; each `run` boots it."""

    def __init__(self, kernel: str) -> None:
        self.kernel = kernel
        CACHE.mkdir(parents=True, exist_ok=True)
        self.files = _unpacked(kernel)

    def run(self, command: Sequence[str], shared: Path, cwd: str | None = None, timeout: float = 300) -> Done:
        """Run a command; what it leaves in `shared` is there afterwards."""
        for name in ("output", "status"):
            (shared / name).unlink(missing_ok=True)
        lines = [
            f"export VM_SHARED=/run/vm VM_KERNEL={self.kernel} PYTHONDONTWRITEBYTECODE=1 PATH={os.environ['PATH']}"
        ]
        here = cwd or os.getcwd()
        lines += _shown([here, str(Path(command[0]).parent.parent), sys.base_prefix])
        lines += [f"cd {shlex.quote(here)}", f"exec {shlex.join(command)}"]
        (shared / "command").write_text("\n".join(lines) + "\n")
        (shared / "second").write_text(SECOND)
        shutil.copy(glob.glob(f"{self.files}/boot/config-*")[0], shared / "config")
        work = Path(tempfile.mkdtemp(prefix="vm", dir="/dev/shm"))
        processes: list[subprocess.Popen[bytes]] = []
        try:
            _serve(work, "root", "/", "always", processes)
            _serve(work, "share", str(shared), "none", processes)
            guest = self._boot(work)
            processes.append(guest)
            try:
                guest.wait(timeout)
            except subprocess.TimeoutExpired:
                return Done(
                    None, f"no end after {timeout} s\n{_read(shared / 'output')}{_read(work / 'serial')[-2000:]}"
                )
            status = _read(shared / "status").strip()
            if not status:
                return Done(None, f"{_read(work / 'qemu')}{_read(work / 'serial')[-3000:]}")
            return Done(int(status), _read(shared / "output"))
        finally:
            for process in processes:
                if process.poll() is None:
                    process.terminate()
                process.wait()
            shutil.rmtree(work, ignore_errors=True)

    def _boot(self, work: Path) -> subprocess.Popen[bytes]:
        """One CPU: with two, 6.12 panics now and then while it patches its own text under emulation."""
        disks = []
        for tag, name in (("rootfs", "root"), ("share", "share")):
            disks += ["-chardev", f"socket,id={name},path={work / name}"]
            disks += ["-device", f"vhost-user-fs-pci,chardev={name},tag={tag}"]
        memory = [
            "-m",
            "1024",
            "-object",
            "memory-backend-memfd,id=mem,size=1024M,share=on",
            "-numa",
            "node,memdev=mem",
        ]
        # no_timer_check: on a busy machine 6.1 takes the timer to be broken, and panics
        options = "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check"
        return subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "1", *memory, "-nodefaults",
             "-no-user-config", "-display", "none", "-no-reboot", "-serial", f"file:{work / 'serial'}", *disks,
             "-kernel", glob.glob(f"{self.files}/boot/vmlinuz-*")[0], "-initrd", str(_initial(self.files)),
             "-append", options],
            stdin=subprocess.DEVNULL, stderr=(work / "qemu").open("w"),
        )  # fmt: skip


def _shown(folders: Sequence[str]) -> list[str]:
    """Commands that make folders appear which the VM's own file systems hide."""
    made: list[str] = []
    for folder in sorted(set(folders)):
        path = Path(folder)
        if any(path.is_relative_to(own) for own in OWN) and not any(path.is_relative_to(other) for other in made):
            made.append(folder)
    return [f"mkdir -p {shlex.quote(p)} && mount -o bind {shlex.quote(f'/run/host{p}')} {shlex.quote(p)}" for p in made]


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _serve(work: Path, name: str, source: str, cache: str, processes: list[subprocess.Popen[bytes]]) -> None:
    """Offer a directory to the guest; `/` from a mount namespace in which it is read-only."""
    guard = "mount -t tmpfs t /run && mkdir /run/virtiofsd && mount -o remount,bind,ro / && " if source == "/" else ""
    server = f"exec {VIRTIOFSD} --socket-path={work / name} -o source={shlex.quote(source)} -o cache={cache}"
    log = (work / f"{name}.log").open("w")
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", f"{guard}{server} -o sandbox=chroot"], stdout=subprocess.DEVNULL, stderr=log
    )
    processes.append(process)
    for _ in range(500):
        if (work / name).exists():
            return
        if process.poll() is not None:
            break
        time.sleep(0.01)
    raise RuntimeError(f"virtiofsd does not start: {_read(work / f'{name}.log')}")


def _unpacked(kernel: str) -> Path:
    """The files of the kernel's package."""
    known = sorted(path for path in CACHE.glob(f"linux-image-{kernel}.*") if path.is_dir())
    if known:
        return known[-1]
    depends = subprocess.run(["apt-cache", "depends", PACKAGES[kernel]], check=True, capture_output=True, text=True)
    found = re.search(r"Depends: (linux-image-\S+)", depends.stdout)
    assert found is not None, depends.stdout
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        subprocess.run(["apt-get", "-q", "download", found[1]], check=True, cwd=work, stderr=subprocess.DEVNULL)
        subprocess.run(["dpkg-deb", "-x", glob.glob(f"{work}/*.deb")[0], f"{work}/files"], check=True)
        os.rename(f"{work}/files", CACHE / found[1])
    return CACHE / found[1]


def _modules(files: Path) -> list[tuple[str, bytes]]:
    """MODULES and what they need, in the order of loading. What is built into the kernel is left out."""
    paths = {}
    for path in glob.glob(f"{files}/lib/modules/*/kernel/**/*.ko*", recursive=True):
        paths[re.sub(r"\.ko(\.xz|\.gz)?$", "", os.path.basename(path)).replace("-", "_")] = path
    made: dict[str, bytes] = {}

    def add(name: str) -> None:
        path = paths.get(name)
        if path is None or name in made:
            return
        data = Path(path).read_bytes()
        if path.endswith(".xz"):
            data = lzma.decompress(data)
        elif path.endswith(".gz"):
            data = gzip.decompress(data)
        needs = re.search(rb"\0depends=([^\0]*)\0", data)
        for other in needs[1].decode().split(",") if needs and needs[1] else ():
            add(other.replace("-", "_"))
        made[name] = data

    for name in MODULES:
        add(name)
    return list(made.items())


def _initial(files: Path) -> Path:
    """The initial file system: busybox, the modules, FIRST."""
    made = files.with_name(f"{files.name}.initial")
    if made.exists() and made.stat().st_mtime > Path(__file__).stat().st_mtime:
        return made
    modules = _modules(files)
    entries = [(name, 0o40755, b"") for name in ("bin", "proc", "sys", "dev", "mnt", "mod")]
    entries.append(("bin/busybox", 0o100755, Path("/bin/busybox").read_bytes()))
    entries.append(("init", 0o100755, FIRST.encode()))
    entries += [(f"mod/{name}.ko", 0o100644, data) for name, data in modules]
    entries.append(("mod/order", 0o100644, "".join([f"{name}.ko\n" for name, _ in modules]).encode()))
    partial = made.with_name(f"{made.name}.{os.getpid()}")
    partial.write_bytes(_cpio(entries))
    partial.rename(made)
    return made


def _cpio(entries: list[tuple[str, int, bytes]]) -> bytes:
    """An archive of the "newc" kind (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    out = bytearray()
    for number, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")]):
        title = name.encode() + b"\0"
        fields = (number + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(title), 0)
        out += b"070701" + b"".join([b"%08X" % field for field in fields]) + title
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)
