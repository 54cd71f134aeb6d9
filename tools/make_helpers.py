"""Write the helper table stdlib/data/helpers.tsv and the signatures stdlib/helpers.pyi.

    python tools/make_helpers.py --linux LINUX_TREE --programs helpers-functions.yaml --since feature-versions.yaml
           [--header /usr/include/bpf/bpf_helper_defs.h]

Sources, and what is taken from each:
    bpf_helper_defs.h (libbpf-dev, BSD-2-Clause)   names, ids, C prototypes, the first sentence of each description
    a Linux source tree (apt: linux-source-6.1)    facts of `struct bpf_func_proto`: argument and result kinds, gpl_only
    tools/helper_programs.tsv (probe_helpers.py)   the programs that may call a helper, as kernels say
    isovalent/ebpf-docs (BSD-2-Clause)             those of helpers that no kernel here has; the release
    the tables below                               what those leave out, each with its place in the kernel's source
The running kernel's BTF (`enum bpf_func_id`) is the judge of the ids: tests/stdlib/test_helpers.py compares.

Columns: name, id, since, flags (g: GPL only, s: may sleep), group of programs ("-": all), result ("?": may be
NULL), arguments as name:kind:type (kinds as in ArgSpec, "0" added where a size may be zero or a pointer NULL),
C prototype, description. A group is a line before them: TYPE or TYPE/ATTACH_TYPE, "@6.12" where the
helper is older than the right to call it; TYPE/ATTACH_TYPE=a,b where it depends on what the program is attached to.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent

# Helpers that sleep: `.might_sleep = true` since 6.3; before, an `aux->sleepable` test in the callers' get_func_proto.
# kernel/bpf/helpers.c, kernel/bpf/bpf_lsm.c
SLEEPABLE = {"bpf_copy_from_user", "bpf_copy_from_user_task", "bpf_ima_inode_hash", "bpf_ima_file_hash"}

# Where ebpf-docs is mistaken: the helper's own commit is 03e69b508b6f, in the same release as its neighbours.
SINCE = {"bpf_get_prandom_u32": "4.1"}

# Prototypes whose name is not <helper>_proto, in 6.1.
PROTO = {
    "bpf_probe_read": "bpf_probe_read_compat_proto",
    "bpf_probe_read_str": "bpf_probe_read_compat_str_proto",
    "bpf_setsockopt": "bpf_sock_addr_setsockopt_proto",
    "bpf_getsockopt": "bpf_sock_addr_getsockopt_proto",
    "bpf_fib_lookup": "bpf_skb_fib_lookup_proto",
    "bpf_check_mtu": "bpf_skb_check_mtu_proto",
    "bpf_get_netns_cookie": "bpf_get_netns_cookie_sock_proto",
    "bpf_get_func_ip": "bpf_get_func_ip_proto_tracing",
    "bpf_get_attach_cookie": "bpf_get_attach_cookie_proto_trace",
    "bpf_lwt_push_encap": "bpf_lwt_in_push_encap_proto",
    "bpf_rc_repeat": "rc_repeat_proto",
    "bpf_rc_keydown": "rc_keydown_proto",
    "bpf_rc_pointer_rel": "rc_pointer_rel_proto",
    "bpf_sk_select_reuseport": "sk_select_reuseport_proto",
    "bpf_redirect_map": "bpf_xdp_redirect_map_proto",
    "bpf_load_hdr_opt": "bpf_sock_ops_load_hdr_opt_proto",
    "bpf_store_hdr_opt": "bpf_sock_ops_store_hdr_opt_proto",
    "bpf_reserve_hdr_opt": "bpf_sock_ops_reserve_hdr_opt_proto",
}

# net/core/bpf_sk_storage.c and kernel/bpf/bpf_cgrp_storage.c (6.2): the storage helpers that 6.1 lacks.
NEWER = {
    "bpf_cgrp_storage_get": "bpf_task_storage_get",
    "bpf_cgrp_storage_delete": "bpf_task_storage_delete",
}


def prototypes(tree: Path) -> dict[str, dict[str, str]]:
    """The `struct bpf_func_proto` initialisers of a kernel tree: variable name -> member -> text."""
    found: dict[str, dict[str, str]] = {}
    pattern = re.compile(r"struct bpf_func_proto (\w+)\s*=\s*\{(.*?)\};", re.S)
    for file in sorted(tree.rglob("*.c")):
        text = file.read_text(errors="replace")
        if "bpf_func_proto" not in text:
            continue
        for name, body in pattern.findall(text):
            body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
            members = re.findall(r"\.(\w+)\s*=\s*(.*?)(?:,\s*(?=\.|$)|\s*$)", body.strip(), re.S)
            found.setdefault(name, {member: " ".join(value.split()).rstrip(",") for member, value in members})
    return found


def declarations(header: str) -> list[dict[str, Any]]:
    """Name, id, result, parameters and description of each helper in bpf_helper_defs.h."""
    made = []
    pattern = re.compile(r"/\*\n \* (bpf_\w+)\n(.*?)\*/\nstatic (.*?)\(\*\1\)\((.*?)\) = \(void \*\) (\d+);", re.S)
    for name, comment, result, params, number in pattern.findall(header):
        made.append(
            {"name": name, "id": int(number), "result": result.strip(), "params": split_params(params),
             "doc": first_sentence(comment)}
        )  # fmt: skip
    return made


def split_params(text: str) -> list[tuple[str, str]]:
    """(C type, name) of each parameter; "..." for the variable ones."""
    made = []
    for part in text.split(","):
        part = part.strip()
        if part == "void":
            continue
        if part == "...":
            made.append(("...", "args"))
            continue
        match = re.fullmatch(r"(.*?)(\w+)", part)
        assert match, part
        made.append((match[1].strip(), match[2]))
    return made


def first_sentence(comment: str) -> str:
    """The description's first sentence, without reStructuredText marks."""
    text = " ".join(line.removeprefix(" *").strip() for line in comment.split(" * Returns")[0].splitlines())
    text = text.replace("\\*", "*")
    text = re.sub(r"\*\*(.+?)\*\*|\*(\S.*?)\*", lambda m: m[1] or m[2], text).replace("\\ ", "").strip()
    match = re.match(r".*?\.(?=\s|$)", text)
    sentence, code, _ = (match[0] if match else text).replace("\t", " ").partition(":: ")
    return sentence + "." if code else sentence


NUMBERS = {
    "__u64": "u64", "__u32": "u32", "__u16": "u16", "__s64": "i64", "__s32": "i32", "long": "i64", "int": "i32",
    "unsigned long": "u64", "__be16": "be16", "__be32": "be32", "__wsum": "u32", "void": "void", "char": "i8",
}  # fmt: skip


def c_type(text: str) -> str:
    """A C type as the table writes it: a number, a struct's name, or a name with `*` for a pointer to a number."""
    text = text.replace("const ", "").strip()
    if not text.endswith("*"):
        return NUMBERS[text]
    inner = text[:-1].strip()
    if inner == "void":
        return "any"
    if inner.startswith("struct "):
        return inner.removeprefix("struct ")
    return NUMBERS[inner] + "*"


# enum bpf_arg_type -> the kind of ArgSpec.
KINDS = {
    "ARG_CONST_MAP_PTR": "map", "ARG_PTR_TO_MAP_KEY": "key", "ARG_PTR_TO_MAP_VALUE": "value",
    "ARG_PTR_TO_MAP_VALUE_OR_NULL": "value", "ARG_PTR_TO_MEM": "mem", "ARG_PTR_TO_MEM_OR_NULL": "mem",
    "ARG_PTR_TO_UNINIT_MEM": "out", "ARG_PTR_TO_FIXED_SIZE_MEM": "mem", "ARG_CONST_SIZE": "size",
    "ARG_CONST_SIZE_OR_ZERO": "size0", "ARG_PTR_TO_CTX": "ctx", "ARG_PTR_TO_CTX_OR_NULL": "ctx",
    "ARG_PTR_TO_INT": "out", "ARG_PTR_TO_LONG": "out", "ARG_PTR_TO_FUNC": "func", "ARG_PTR_TO_CONST_STR": "fmt",
    "ARG_CONST_ALLOC_SIZE_OR_ZERO": "scalar",
}  # fmt: skip


# Objects that C has as `void *`: what the prototype's arg1_btf_id and its like say.
OBJECTS = {
    ("bpf_skb_output", "ctx"): "sk_buff", ("bpf_xdp_output", "ctx"): "xdp_buff", ("bpf_tcp_send_ack", "tp"): "tcp_sock",
    ("bpf_inode_storage_get", "inode"): "inode", ("bpf_inode_storage_delete", "inode"): "inode",
    ("bpf_sk_release", "sock"): "sock_common",
}  # fmt: skip

# What is read and written, or may be NULL and so is not marked as written.
WRITTEN = (
    ("bpf_d_path", "buf"), ("bpf_fib_lookup", "params"), ("bpf_load_hdr_opt", "searchby_res"), ("bpf_snprintf", "str"),
)  # fmt: skip


def _socket(kind: str) -> str:
    """A socket of any kind; "bpf_sock_common" where it must be one that a context or a lookup gave."""
    return "" if "SOCK_COMMON" not in kind else "sock_common" if "BTF_ID" in kind else "bpf_sock_common"


def arguments(declared: dict[str, Any], proto: dict[str, str]) -> str:
    made = []
    for index, (kind, name) in enumerate(declared["params"], 1):
        if kind == "...":
            # bpf_trace_printk: up to three numbers (ARG_ANYTHING is implied by the call)
            made += [f"arg{n}:scalar:u64" for n in (1, 2, 3)]
            continue
        words = [word.strip() for word in proto.get(f"arg{index}_type", "ARG_ANYTHING").split("|")]
        pointer = kind.endswith("*")
        if words[0] == "ARG_ANYTHING":
            made.append(f"{name}:{'address' if pointer else 'scalar'}:{'u64' if pointer else c_type(kind)}")
            continue
        role = KINDS.get(words[0], "ptr")
        if role == "mem" and ("MEM_UNINIT" in words or "MEM_WRITE" in words or (declared["name"], name) in WRITTEN):
            role = "out"
        if role == "value" and "MEM_UNINIT" in words:
            role = "slot"
        if role == "mem" and name == "fmt":
            role = "fmt"
        type = OBJECTS.get((declared["name"], name)) or _socket(words[0]) or c_type(kind)
        if words[0].startswith("ARG_PTR_TO_ALLOC_MEM") or words[0].startswith("ARG_PTR_TO_RINGBUF_MEM"):
            type = "ringbuf"
        null = "0" if words[0].endswith("_OR_NULL") or "PTR_MAYBE_NULL" in words else ""
        made.append(f"{name}:{role}{null}:{type}")
    return " ".join(made)


def result(declared: dict[str, Any], proto: dict[str, str]) -> str:
    kind = proto["ret_type"]
    nullable = "?" if "OR_NULL" in kind or "PTR_MAYBE_NULL" in kind else ""
    if "RET_VOID" in kind:
        return "void"
    if "RET_PTR_TO_MAP_VALUE" in kind:
        return "map_value" + nullable
    if "ALLOC_MEM" in kind or "RINGBUF_MEM" in kind:
        return ("ringbuf" if "ringbuf" in declared["name"] else "mem") + nullable
    type = c_type(declared["result"])
    return ("mem" if type == "any" else type) + nullable


def program_types(data: dict[str, Any]) -> dict[str, list[str]]:
    """Helper -> sorted program types, from ebpf-docs' relations."""

    def expand(items: list[dict[str, Any]]) -> set[str]:
        names: set[str] = set()
        for item in items or []:
            if "group" in item:  # one group, bpf_iter, is referred to and not there
                names |= expand(data["groups"].get(item["group"], []))
            elif "name" in item:
                names.add(item["name"])
        return names - {item["exclude"] for item in items or [] if "exclude" in item}

    made: dict[str, set[str]] = {}
    for program, items in data["programs"].items():
        for name in expand(items):
            made.setdefault(name, set()).add(program.removeprefix("BPF_PROG_TYPE_"))
    return {name: sorted(kinds) for name, kinds in made.items()}


# What depends on the function that a program is attached to, which a probe of one function does not show:
# bpf_lsm_func_proto() in kernel/bpf/bpf_lsm.c; btf_allowlist_d_path in kernel/trace/bpf_trace.c.
_SOCKETS = "LSM/BPF_LSM_CGROUP=inet_conn_established,inet_csk_clone,sock_graft,socket_post_create,socket_socketpair"
_PATHS = (
    "=dentry_open,filp_close,security_file_open,security_file_permission,security_inode_getattr,security_path_truncate,"
    "vfs_fallocate,vfs_getattr,vfs_truncate"
)
TARGETS = {
    "bpf_setsockopt": [_SOCKETS], "bpf_getsockopt": [_SOCKETS],
    # check_get_func_ip() in kernel/bpf/verifier.c
    "bpf_get_func_ip": ["KPROBE", "TRACING/BPF_MODIFY_RETURN", "TRACING/BPF_TRACE_FENTRY", "TRACING/BPF_TRACE_FEXIT"],
    "bpf_d_path": ["TRACING/BPF_TRACE_ITER", f"TRACING/BPF_MODIFY_RETURN{_PATHS}", f"TRACING/BPF_TRACE_FENTRY{_PATHS}",
                   f"TRACING/BPF_TRACE_FEXIT{_PATHS}"],
}  # fmt: skip
# What the kernels asked are not built with: CONFIG_BPF_KPROBE_OVERRIDE, CONFIG_BPF_LIRC_MODE2.
NOT_BUILT = ("bpf_override_return", "bpf_rc_keydown", "bpf_rc_pointer_rel", "bpf_rc_repeat")
UNASKED = "LIRC_MODE2"  # a type that no kernel here has


def programs_of(name: str, documented: list[str], asked: dict[str, list[str]], sleepable: str) -> list[str]:
    """The words of a helper's group. `sleepable`: the LSM hooks that may sleep, whether the program does or not."""
    if name in NOT_BUILT:
        return documented
    if name in ("bpf_d_path", "bpf_get_func_ip"):  # looked up for any tracing program, and refused after that
        return sorted([*TARGETS[name], *([f"LSM={sleepable}"] if name == "bpf_d_path" else [])])
    targets = TARGETS.get(name, [])
    kinds = {re.split("[/=]", word)[0] for word in targets}
    words = [word for word in asked.get(name, []) if word.partition("/")[0] not in kinds]
    return sorted([*words, *targets, *([UNASKED] if UNASKED in documented else [])])


def sleepable_hooks(tree: Path) -> str:
    """The set sleepable_lsm_hooks of kernel/bpf/bpf_lsm.c, with commas between."""
    text = (tree / "kernel" / "bpf" / "bpf_lsm.c").read_text().partition("BTF_SET_START(sleepable_lsm_hooks)")[2]
    return ",".join(sorted(re.findall(r"bpf_lsm_(\w+)\)", text.partition("BTF_SET_END")[0])))


def probed() -> dict[str, list[str]]:
    """tools/helper_programs.tsv: helper -> words."""
    lines = (ROOT / "tools" / "helper_programs.tsv").read_text().splitlines()
    return {name: words.split() for name, _, words in (line.partition("\t") for line in lines if line[0] != "#")}


PYTHON = {
    "scalar": "int", "address": "Address", "ctx": "object", "map": "AnyMap", "key": "object", "value": "object",
    "mem": "Memory", "out": "Memory", "slot": "Memory", "size": "int", "ptr": "object",
    "func": "Callable[..., int | None]", "fmt": "str",
}  # fmt: skip

# Helpers that a `for` goes over: what the loop's variable is. The body is the function that they call.
ELEMENTS = {"bpf_find_vma": "vm_area_struct"}

STUB = '''"""Kernel helpers under their kernel names, with their signatures.

Generated by tools/make_helpers.py; do not edit. Descriptions and C prototypes are libbpf's (BSD-2-Clause), releases and
program types ebpf-docs' (BSD-2-Clause); NOTICE has their notices.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from pybpf import kernel as k
from pybpf.compiler.schema.specs import HelperSpec
from pybpf.stdlib.dynptrs import Dynptr
from pybpf.stdlib.fills import Address
from pybpf.stdlib.maps import Declaration
from pybpf.stdlib.struct import Struct
from pybpf.stdlib.types import Array

AnyMap: TypeAlias = Declaration
Memory: TypeAlias = Struct | Array[Any, Any] | str | bytes

class Helper:
    __name__: str
    def __init__(self, name: str) -> None: ...
    @property
    def __bpf__(self) -> HelperSpec: ...
    def __call__(self, *args: Any) -> Any: ...

def names() -> list[str]: ...
def names_by_id() -> dict[int, str]: ...
def spec_of(name: str) -> HelperSpec | None: ...
'''


def stub(helper: dict[str, Any]) -> str:
    """A helper's signature and docstring, for helpers.pyi."""
    params = []
    element = ELEMENTS.get(helper["name"])
    for item in helper["arguments"].split():
        name, kind, type = item.split(":")
        if element and name in ("callback_fn", "callback_ctx"):
            continue
        name += "_" if name in ("from", "type") else ""
        kind, null = kind.rstrip("0"), " | None" if kind.endswith("0") and not kind.startswith("size") else ""
        optional = " = ..." if helper["name"] == "bpf_trace_printk" and name.startswith("arg") else ""
        optional = " = 0" if element and name == "flags" else optional
        shown = "Dynptr" if type == "bpf_dynptr" else PYTHON[kind]
        params.append(f"{name}: {shown}{null}{optional}")
    kind = helper["result_kind"]
    if element:
        result = f"Iterable[k.{element}]"
    elif kind == "void":
        result = "None"
    else:
        result = "int" if re.fullmatch(r"[ui]\d+", kind) else "Any | None" if kind.endswith("?") else "Any"
    lines = [f"def {helper['name']}({', '.join([*params, '/'] if params else [])}) -> {result}:"]
    if len(lines[0]) > 120:
        lines = [f"def {helper['name']}(", f"    {', '.join(params)}, /", f") -> {result}:"]
    doc = [*wrap('"""' + helper["doc"].replace("\\", "\\\\")), "", *wrap(helper["signature"]), ""]
    if element:
        doc += [*wrap("`for` goes over it: the function is the loop's body, which runs once or not at all."), ""]
    doc += wrap(f"Since Linux {helper['since']}." + (" For GPL-compatible programs only." if helper["gpl"] else "")
                + (" May sleep: for sleepable programs only." if helper["sleeps"] else ""))  # fmt: skip
    kinds = [word.lower().replace("@", " since ").partition("=")[0] for word in helper["programs"]]
    doc += wrap(f"Programs: {'all' if helper['all'] else ', '.join(kinds) or 'none'}.")
    return "\n".join([*lines, *doc, '    """']) + "\n"


def wrap(text: str) -> list[str]:
    return textwrap.wrap(text, 116, initial_indent="    ", subsequent_indent="    ")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--linux", type=Path, required=True)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--since", type=Path, required=True)
    parser.add_argument("--header", type=Path, default=Path("/usr/include/bpf/bpf_helper_defs.h"))
    options = parser.parse_args()
    protos = prototypes(options.linux)
    data = yaml.safe_load(options.programs.read_text())
    programs = program_types(data)
    asked, hooks = probed(), sleepable_hooks(options.linux)
    every = sorted(
        {*(word for words in asked.values() for word in words if word.isupper() and not set("@/") & set(word)), UNASKED}
    )
    features = yaml.safe_load(options.since.read_text())
    since = {
        item["name"]: item["version"].removeprefix("v")
        for theme in features if theme["name"] == "helpers" for item in theme["features"]
    }  # fmt: skip
    rows, groups = [], {}
    helpers = declarations(options.header.read_text())
    for helper in helpers:
        name = helper["name"]
        base = NEWER.get(name, name)
        proto = protos.get(PROTO.get(base, f"{base}_proto"))
        if proto is None:
            raise SystemExit(f"no bpf_func_proto found for {name}")
        kinds = programs_of(name, programs.get(name, []), asked, hooks)
        if kinds == every:
            group = "-"
        else:
            group = groups.setdefault(" ".join(kinds) or "NONE", f"{len(groups) + 1}")
        flags = ("g" if proto.get("gpl_only") == "true" else "") + ("s" if name in SLEEPABLE else "")
        params = ", ".join(kind if kind == "..." else f"{kind}{'' if kind.endswith('*') else ' '}{param}"
                           for kind, param in helper["params"])  # fmt: skip
        returned = helper["result"]
        signature = f"{returned}{'' if returned.endswith('*') else ' '}{name}({params or 'void'})".replace("__", "")
        helper |= {
            "result_kind": result(helper, proto), "arguments": arguments(helper, proto), "signature": signature,
            "gpl": "g" in flags, "sleeps": "s" in flags, "all": group == "-", "programs": kinds,
            "since": SINCE.get(name, since.get(name, "")),
        }  # fmt: skip
        rows.append("\t".join([name, str(helper["id"]), helper["since"], flags, group, helper["result_kind"],
                               helper["arguments"], signature, helper["doc"]]))  # fmt: skip
    notice = (
        "# Generated by tools/make_helpers.py; do not edit. Prototypes and descriptions: libbpf (BSD-2-Clause).\n"
        "# Program types and releases: ebpf-docs (BSD-2-Clause). NOTICE has their notices.\n"
    )
    table = notice + "".join(f"#{number}\t{kinds}\n" for kinds, number in groups.items()) + "\n".join(rows) + "\n"
    (ROOT / "stdlib" / "data" / "helpers.tsv").write_text(table)
    (ROOT / "stdlib" / "helpers.pyi").write_text(STUB + "\n" + "\n".join(stub(helper) for helper in helpers))


if __name__ == "__main__":
    main()
