"""Which types of programs may call which functions of the kernel: the table says what the verifier says here.

tools/probe_kfuncs.py asks the running kernel for each pair, those that it lets and those that it does not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pybpf.stdlib.kfuncs import spec_of

pytestmark = [pytest.mark.kernel, pytest.mark.guest]

ROOT = Path(__file__).parent.parent.parent
HERE = tuple(int(part) for part in os.uname().release.split(".")[:2])
# Functions that only some programs of a type may call, not those that are asked with: of iterators, of sessions, of
# tables of operations that have packets.
SOME = {
    ("bpf_sock_destroy", "TRACING"), ("bpf_sock_destroy", "TRACEPOINT"), ("bpf_sock_destroy", "PERF_EVENT"),
    ("bpf_session_cookie", "KPROBE"), ("bpf_session_is_return", "KPROBE"), ("bpf_dynptr_from_skb", "STRUCT_OPS"),
    ("bpf_verify_pkcs7_signature", "TRACING"), ("bpf_verify_pkcs7_signature", "TRACEPOINT"),
    ("bpf_verify_pkcs7_signature", "PERF_EVENT"),
}  # fmt: skip


def release(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")) if text else ()


def test_who_may_call_what() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "probe_kfuncs.py")], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if "can't be loaded" in done.stderr or "has no BTF" in done.stderr:
        pytest.skip(f"this kernel can't be asked: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    kinds = {kind for line in done.stdout.splitlines() for kind in line.split("\t")[2].split()}
    refused, unknown, asked = [], [], 0
    for line in done.stdout.splitlines():
        _, name, told = line.split("\t")
        spec = spec_of(name)
        assert spec is not None
        if release(spec.since) > HERE:  # a backport
            continue
        known = {kind.partition("/")[0]: since for kind, since in spec.programs.items()}
        for kind in kinds:
            asked += 1
            allowed = not spec.programs or (kind in known and release(known[kind]) <= HERE)
            if allowed and kind not in told.split() and (name, kind) not in SOME:
                refused.append(f"{name} {kind}")
            if not allowed and kind in told.split():
                unknown.append(f"{name} {kind}")
    assert asked > 100
    assert refused == [], "the table lets what the kernel does not"
    assert unknown == [], "the kernel lets what the table does not"
