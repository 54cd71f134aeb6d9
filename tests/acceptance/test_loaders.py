"""The examples' objects before every loader there is, and what the kernel says of them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.loaders.harness import JUDGES, btf_dump, cilium_spec, ip_xdp, need_root, need_tool, run
from tests.loaders.libbpf import LIBRARIES, load_with_libbpf

pytestmark = pytest.mark.kernel
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))

# The statements of each program whose lines the kernel must quote. Not there: what no instruction is left of, and what
# the verifier never looks at, as code under `only_pid`, which is 0 and constant once loaded.
STATEMENTS = {
    "hello": {"hello": ["printk("]},
    "opensnoop": {
        "enter": ["if only_pid and", "paths[tid()] ="],
        "leave": ["path = paths.pop(", "opens.emit("],
    },
    "execsnoop": {"on_exec": ["execs.emit("]},
    "syscount": {"count": ["calls[Process("]},
    "runqlat": {
        "woken": ["began[task.pid] ="],
        "born": ["began[task.pid] ="],
        "switched": ["if before.__state ==", "start = began.pop(", "waits.record("],
    },
    "xdp_count": {
        "count": ["if eth.h_proto ==", "elif eth.h_proto ==", "packets[ip.protocol] +=", "packets[ip6.nexthdr] +="]
    },
    "xdp_firewall": {"firewall": ["if flow.saddr in blocked", "if flow.protocol ==", "dropped[flow] +="]},
    "malloc_sizes": {
        "on_malloc": ["asked[tid()] ="],
        "on_return": [
            "size = asked.pop(", "total = usage.setdefault(", "total.calls +=", "total.bytes +=", "if address ==",
            "total.failed +=",
        ],
    },
    "cgroup_firewall": {"sending": ["if skb.protocol !=", "if Network(bits=32", "refused[ip.daddr] +="]},
    "cpu_profile": {"sample": ["user = stacks.id(user=True)", "kernel = stacks.id()", "samples[place] +="]},
    "tcplife": {
        "state": [
            "if ctx.protocol !=", "born[sk] = ktime()", "owners[sk] =", "since = born.pop(", "owner = owners.pop(",
            "sessions.emit(",
        ]
    },
}  # fmt: skip


# cilium/ebpf 0.9 reads the whole of the kernel's BTF to relocate, and does not know its ENUM64.
RELOCATED = {"runqlat", "tcplife"}


@pytest.mark.parametrize(
    ("judge", "example"),
    [(judge, name) for judge in JUDGES for name in EXAMPLES if judge != "cilium_load" or name not in RELOCATED],
)
def test_every_loader_takes_it(judge: str, example: str, objects: dict[str, Path]) -> None:
    verdict = JUDGES[judge](objects[example])
    assert verdict.clean, f"{verdict.output}\n" + "\n".join(verdict.warnings)


def test_iproute2_attaches_it(objects: dict[str, Path]) -> None:
    verdict = ip_xdp(objects["xdp_count"])
    assert verdict.clean, verdict
    assert "prog/xdp" in verdict.output


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_kernels_log_quotes_python(example: str, library: str, objects: dict[str, Path]) -> None:
    verdict = load_with_libbpf(objects[example].read_bytes(), 2, library)
    assert verdict.clean, verdict
    assert set(verdict.logs) == set(STATEMENTS[example])
    for program, log in verdict.logs.items():
        quoted = set(re.findall(r"(?m)^; (.*) @ (\S+):(\d+)$", log))
        assert quoted
        for text, name, number in quoted:
            paths = [path for folder in ("examples", "stdlib") for path in (ROOT / folder).rglob(name)]
            lines = [path.read_text().split("\n")[int(number) - 1 :][:1] for path in paths]
            assert text in [line.strip() for found in lines for line in found]
        own = [text for text, name, _ in quoted if name == f"{example}.py"]
        missing = [start for start in STATEMENTS[example][program] if not any(text.startswith(start) for text in own)]
        assert not missing, log


def test_cilium_sees_what_was_declared(objects: dict[str, Path]) -> None:
    spec = cilium_spec(objects["opensnoop"])
    maps = {name: (m["Type"], m["KeySize"], m["ValueSize"], m["MaxEntries"]) for name, m in spec["maps"].items()}
    assert maps["paths"] == ("Hash", 4, 8, 10_240)
    assert maps["opens"] == ("RingBuf", 0, 0, 256 * 1024)
    assert {name: (p["Type"], p["AttachTo"], p["License"]) for name, p in spec["programs"].items()} == {
        "enter": ("TracePoint", "syscalls/sys_enter_openat", "GPL"),
        "leave": ("TracePoint", "syscalls/sys_exit_openat", "GPL"),
    }


def test_a_c_program_traces_with_the_object(objects: dict[str, Path], tmp_path: Path) -> None:
    """`bpftool gen skeleton`, gcc and libbpf: the other way to use an object, with types and globals by their names."""
    need_root()
    if not Path("/usr/include/bpf/libbpf.h").exists():
        pytest.skip("libbpf-dev is not installed")
    skeleton = run([need_tool("bpftool"), "gen", "skeleton", str(objects["opensnoop"]), "name", "opensnoop"])
    types = btf_dump(objects["opensnoop"], "c")
    assert skeleton.clean and types.clean
    (tmp_path / "opensnoop.skel.h").write_text(skeleton.output)
    # contexts, of which we have the name only
    (tmp_path / "opensnoop.types.h").write_text(re.sub(r"(?m)^struct \w+ \{\};$", "", types.output))
    program = tmp_path / "opensnoop"
    command = [
        need_tool("gcc"), "-std=gnu11", "-Wall", "-DBPF_NO_PRESERVE_ACCESS_INDEX", f"-I{tmp_path}",
        str(HERE / "opensnoop.c"), "-lbpf", "-o", str(program),
    ]  # fmt: skip
    compiled = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (compiled.returncode, compiled.stderr) == (0, "")
    there, gone = tmp_path / "there", tmp_path / "gone"
    there.touch()
    script = 'mount -t tracefs tracefs /sys/kernel/tracing && exec "$@"'
    done = subprocess.run(
        [need_tool("unshare"), "-m", "--propagation", "private", "sh", "-c", script, "sh", program, there, gone],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    first, second = [line.split() for line in done.stdout.strip().split("\n")]
    assert first[:2] == ["280", "1"] and int(first[2]) > 2 and first[3:] == ["opensnoop", str(there)]
    assert second == ["280", "1", "-2", "opensnoop", str(gone)]
