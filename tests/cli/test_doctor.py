"""`pybpf doctor`: what it says is so."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pybpf import HashMap, TracepointContext, load, tracepoint, u32, u64
from pybpf.cli import main
from pybpf.probing import Finding, sections
from pybpf.probing.helpers import has_helper
from pybpf.probing.maps import create
from pybpf.probing.programs import TYPES
from pybpf.probing.programs import load as load_type
from pybpf.runtime.kinds import program_type

ROOT = Path(__file__).parents[2]
seen = HashMap[u32, u64](max_entries=4)


@tracepoint("sched:sched_switch")
def switched(ctx: TracepointContext) -> None:
    seen[1] += 1


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("loading BPF programs needs root")


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, dict[str, str]]]:
    assert main(["doctor", "--format", "json", *words]) == 0
    made = json.loads(capsys.readouterr().out)
    return {heading: {one["name"]: one for one in found} for heading, found in made.items()}


@pytest.mark.kernel
def test_what_is_said_is_so(capsys: pytest.CaptureFixture[str]) -> None:
    needs_root()
    found = told(capsys)
    assert found["kernel"]["release"]["text"].split()[1] == os.uname().release
    assert (found["kernel"]["BTF"]["state"] == "ok") == os.path.exists("/sys/kernel/btf/vmlinux")
    for name in ("TRACEPOINT", "XDP", "SCHED_CLS", "SOCKET_FILTER", "CGROUP_SKB"):
        assert found["programs"][name]["text"] == "loads"
    for name in ("HASH", "ARRAY", "RINGBUF", "STACK_TRACE", "HASH_OF_MAPS", "SK_STORAGE", "STRUCT_OPS"):
        assert found["maps"][name]["state"] == "ok", found["maps"][name]
    kprobes = os.path.exists("/sys/bus/event_source/devices/kprobe")
    assert (found["attaching"]["kprobes"]["state"] == "ok") == kprobes
    with load(switched) as obj:
        assert obj.programs["switched"].type == "TRACEPOINT"
    for section in found.values():
        for one in section.values():
            assert one["state"] in ("ok", "lacks", "note") and one["text"], one


@pytest.mark.kernel
@pytest.mark.guest
def test_types_are_numbered_and_shaped_right() -> None:
    """Against clang-free facts: the name of each number, and that nothing is refused for how it was asked."""
    needs_root()
    for name, number, _, _, since in TYPES:
        assert program_type(number) == name
        code, log = load_type(name)
        release = tuple([int(part) for part in os.uname().release.split("-")[0].split(".")[:2]])
        wanted = tuple([int(part) for part in since.split(".")])
        if code and release >= wanted:
            assert name in ("LIRC_MODE2", "NETFILTER", "LWT_SEG6LOCAL"), (name, code, log)  # left out of some builds
    assert create("HASH") == 0 and create("ARENA") in (0, 22)


@pytest.mark.kernel
def test_helpers_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    needs_root()
    assert has_helper(6, 0, 0, 1) and has_helper(6, 0, 0, 44)  # bpf_map_lookup_elem, bpf_xdp_adjust_head
    assert not has_helper(5, 0, 0, 44) and not has_helper(6, 0, 0, 9999)
    found = told(capsys, "--helpers")["helpers"]
    assert set(found) == {name for name, *_ in TYPES}
    for name, one in found.items():
        assert re.match(r"all \d+$|\d+ of \d+; not bpf_|this type of programs is not there", one["text"]), (name, one)


def test_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    headings = [line for line in lines if not line.startswith((" ", "+", "-"))]
    assert headings == ["pybpf", "kernel", "privileges", "mounts", "libbpf", "programs", "attaching", "maps"]
    for index, line in enumerate(lines):
        if line.strip().startswith("help: "):
            assert lines[index - 1].startswith("-"), "what to do stands below what is missing"


def test_what_a_user_lacks(tmp_path: Path) -> None:
    """As another user: each capability with what it is for and how to get it."""
    needs_root()
    code = """if True:
        import json, os
        from pybpf.probing import privileges, programs, maps, system, library, sections
        from pybpf.stdlib.kernel.names import running
        import pybpf.probing.load, resource
        from pybpf.runtime.libbpf import library as used
        used(); running()
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
        print(json.dumps({s.heading: {f.name: [f.state, f.text, f.help] for f in s.findings} for s in sections()}))
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    found: dict[str, dict[str, list[Any]]] = json.loads(done.stdout)
    assert found["privileges"]["user"][1] == "uid 65534"
    for name in ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"):
        state, text, help = found["privileges"][name]
        assert state == "lacks" and text and f"setcap {name.lower()}+ep" in help
    assert found["programs"]["XDP"] == ["lacks", "not permitted", "see privileges above"]
    assert found["maps"]["RINGBUF"][0] == "lacks"


def test_sections_are_findings() -> None:
    for section in sections():
        assert section.findings and all(isinstance(finding, Finding) for finding in section.findings)
