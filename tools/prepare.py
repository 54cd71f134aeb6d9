#!/usr/bin/env python3
"""Set up what pybpf's make targets need on a machine that has Python 3.10 and nothing else.

    tools/prepare.py runtime          .venv with pybpf and what it needs to run
    tools/prepare.py test             the same with the test tools, and the Debian packages that tests use
    tools/prepare.py other            a .venv-3.X for each other Python found; prints their paths

Uses the standard library only, and runs again only when pyproject.toml changed. Debian packages are installed when
this is run by root on a machine with apt; otherwise it says which are missing, and the tests that use them skip.
"""

import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What tests use: the program or file that shows that a package is there, and its Debian name.
PACKAGES = [
    ("clang-19", "clang-19"),  # objects to compare with
    ("llvm-objdump-19", "llvm-19"),  # a second disassembler
    ("bpftool", "bpftool"),
    ("/usr/include/bpf/bpf_helpers.h", "libbpf-dev"),  # C skeletons, libbpf 1.1
    ("ip", "iproute2"),
    ("gcc", "gcc"),  # targets of uprobes, C skeletons
    ("/usr/include/stdio.h", "libc6-dev"),
    ("/usr/include/linux/bpf.h", "linux-libc-dev"),
    ("readelf", "binutils"),
    ("unshare", "util-linux"),
    ("/usr/lib/python3/dist-packages/bcc", "python3-bpfcc"),  # a consumer of ring buffers to compare with
    ("qemu-system-x86_64", "qemu-system-x86"),  # other kernels, in VMs
    ("/bin/busybox", "busybox-static"),
    ("go", "golang-go"),  # cilium/ebpf
    ("/usr/share/gocode/src/github.com/cilium/ebpf", "golang-github-cilium-ebpf-dev"),
    ("/usr/share/gocode/src/golang.org/x/sys", "golang-golang-x-sys-dev"),
]
VERSIONS = ("3.10", "3.11", "3.12", "3.13")


def say(text):
    print(f"prepare: {text}", file=sys.stderr, flush=True)


def run(*words, **options):
    try:
        return subprocess.run(words, check=True, **options)
    except subprocess.CalledProcessError as error:
        sys.exit(f"prepare: failed ({error.returncode}): {' '.join(words)}")


def present(sign):
    if sign.startswith("/"):
        return os.path.exists(sign)
    return bool(shutil.which(sign, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"))


def can_install():
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt(*names):
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    say(f"installing {' '.join(names)}")
    run("apt-get", "update", "-q", stdout=subprocess.DEVNULL)
    run(
        "apt-get", "install", "-y", "-q", "--no-install-recommends", *names,
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def packages():
    missing = [name for sign, name in PACKAGES if not present(sign)]
    if missing and can_install():
        apt(*missing)
    elif missing:
        say(f"not root on Debian: without {' '.join(missing)} the tests that use them are skipped")


def make_venv(python, directory):
    """A virtual environment with a recent pip, whose console scripts start faster than those of Debian's."""
    if not os.path.exists(os.path.join(directory, "bin", "pip")):
        shutil.rmtree(directory, ignore_errors=True)
        probe = subprocess.run([python, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL)
        if probe.returncode:  # Debian ships them apart
            if not can_install():
                sys.exit("prepare: this Python has no venv; install it: apt-get install python3-venv")
            apt("python3-venv")
        run(python, "-m", "venv", directory)
        pip = os.path.join(directory, "bin", "python")
        run(pip, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--upgrade", "pip>=25.1")


def install(directory, extras):
    """pybpf itself, editable, with extras. A stamp saves doing it again for the same pyproject.toml."""
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        wanted = hashlib.sha256(file.read()).hexdigest() + " " + extras
    stamp = os.path.join(directory, ".prepared")
    done = []
    if os.path.exists(stamp):
        with open(stamp) as file:
            done = file.read().split("\n")
    if wanted in done:
        return
    python = os.path.join(directory, "bin", "python")
    what = f"{ROOT}[{extras}]" if extras else ROOT
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-e", what, stdin=subprocess.DEVNULL)
    with open(stamp, "w") as file:
        file.write("\n".join([*(line for line in done if line[:64] == wanted[:64]), wanted]))


def precompile(directory):
    """Byte code and pybpf's image of it, as installs have; the environment may keep Python from writing it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    options = {"cwd": ROOT, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    python = os.path.join(directory, "bin", "python")
    subprocess.run([python, "-m", "compileall", "-q", "compiler", "stdlib", "pybpf"], **options)
    pybpf = os.path.join(directory, "bin", "pybpf")
    subprocess.run([pybpf, "build", os.path.join("examples", "hello.py"), "-o", os.devnull], **options)


def others():
    """Pythons besides this one: on PATH, or pyenv's. (version, path of its interpreter)."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for version in VERSIONS:
        if version == own:
            continue
        places = [shutil.which(f"python{version}")]
        root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
        versions = os.path.join(root, "versions")
        if os.path.isdir(versions):
            places += [
                os.path.join(versions, name, "bin", f"python{version}")
                for name in sorted(os.listdir(versions))
                if name.startswith(version + ".")
            ]
        for place in places:
            asks = [place, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"] if place else []
            if place and os.path.exists(place):
                told = subprocess.run(asks, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                if told.stdout.decode().strip() == version:
                    yield version, place
                    break


def main():
    stage = sys.argv[1] if len(sys.argv) > 1 else "runtime"
    if sys.version_info < (3, 10):  # noqa: UP036 (older ones can read this file)
        sys.exit(f"prepare: pybpf needs Python 3.10; {sys.executable} is {sys.version.split()[0]} (make PYTHON=...)")
    venv = os.path.join(ROOT, ".venv")
    if stage == "other":
        for version, python in others():
            directory = os.path.join(ROOT, f".venv-{version}")
            make_venv(python, directory)
            install(directory, "test-min")
            print(os.path.join(directory, "bin", "python"))
        return
    if stage == "test":
        packages()
    make_venv(sys.executable, venv)
    install(venv, "dev" if stage == "test" else "")
    precompile(venv)


main()
