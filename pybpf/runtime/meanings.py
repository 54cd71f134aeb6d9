"""What the verifier's messages mean, in the terms of the Python program.

In: the kernel's message, and where the compiler left debug information the variables that registers hold. Out: a
sentence, and a help. The messages are those of kernel/bpf/verifier.c, of Linux 5.15 to 7.x; first match wins.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pybpf.runtime.verifier import Origin

__all__ = ["MEANINGS", "meaning_of"]

# (pattern of the kernel's message, what it means, what helps). `{who}` is the variable in the register that the message
# names, or the register; the other names are groups of the pattern.
MEANINGS: tuple[tuple[str, str, str], ...] = (
    # None
    (r"invalid mem access '\w*_or_null'|type=\w*_or_null expected=", "{who} may be None here",
     "compare it with None before it is used"),
    (r"Possibly NULL pointer passed", "{who} may be None here", "compare it with None before it is passed on"),
    # bounds
    (r"invalid access to packet", "this reads beyond what was checked of the packet",
     "parse the header (`pkt.parse`) or compare the length before reading"),
    (r"invalid access to map value, value_size=(?P<size>\d+) off=(?P<off>-?\d+)",
     "this may lie at byte {off} of a map's value, which has {size} bytes", "check the index against the size first"),
    (r"invalid access to memory, mem_size=(?P<size>\d+) off=(?P<off>-?\d+)",
     "this may lie at byte {off} of memory of {size} bytes", "check the index against the size first"),
    (r"access beyond (struct (?P<struct>\w+)|the end of member)", "this reads beyond the end of a kernel struct",
     "check the type that the pointer was given"),
    (r"unbounded min value|unbounded memory access|min value is negative",
     "{who} has no bound that the verifier can see", "check it against a constant first: `if 0 <= n < SIZE:`"),
    (r"invalid access to|(min|max) value is outside|makes \w+ pointer be out of bounds|"
     r"pointer offset .* is not allowed",
     "this may lie outside the value", "check the index against the size first"),
    (r"invalid zero-sized read", "the size given here may be 0", "check that it is at least 1 first"),
    # packets and kernel pointers
    (r"invalid mem access '(scalar|inv)'", "{who} is a number here, not something to read from",
     "read kernel or user memory through a helper (probe_read), or keep the pointer in one variable"),
    (r"invalid mem access '(untrusted_)?(ptr|rcu_ptr)_", "{who} may be read by the kernel-type access only",
     "read it by attribute of its kernel type, or through probe_read"),
    (r"cannot write into (?P<what>\w+)|write into map forbidden|only read is supported",
     "this memory is read-only for programs of this type", "keep what changes in a variable or in a map of your own"),
    (r"R(?P<n>\d+) (must be|is not) (referenced|a rcu pointer|a referenced|trusted)|is an unacquired reference",
     "{who} is a kernel object that the program does not own here", "take a reference to it first, and release it"),
    # numbers and pointers
    (r"leaks addr", "{who} is a kernel address, which this user's programs may not give away",
     "store a value read from it, or load the program with CAP_PERFMON"),
    (r"pointer comparison prohibited", "{who} is a kernel address, which this user's programs may not compare",
     "compare a value read from it, or load the program with CAP_PERFMON"),
    (r"pointer arithmetic|bitwise operator \S+ on pointer|operator prohibited|subtraction from stack pointer",
     "{who} is a pointer, with which this can't be computed", "compute with numbers, and add them to the pointer last"),
    (r"attempt to corrupt spilled|corrupted spill|partial (copy|spill)", "part of a stored pointer is overwritten", ""),
    # variables and the stack
    (r"R0 !read_ok", "the program may end without a result", "return a value on every path"),
    (r"!read_ok", "{who} has no value here", "assign it on every path that leads here"),
    (r"invalid (indirect )?(read from|access to) (variable-offset )?stack|"
     r"invalid variable-offset (indirect )?(read|access)",
     "this part of the stack was never written", "fill the whole value before passing it on"),
    (r"combined stack size of \d+ calls is (?P<size>\d+)",
     "the functions called here need {size} bytes of stack, of 512", "keep large values in a per-CPU array"),
    (r"stack depth .* exceeds|Stack off .* exceeds|invalid stack|invalid write to stack|invalid variable-offset write",
     "the stack is too small: 512 bytes", "keep large values in a per-CPU array"),
    (r"misaligned (?P<what>stack|value|packet|ctx|\w+) access off .* size (?P<size>\d+)",
     "an access of {size} bytes must lie at a multiple of {size}", "put the field at a multiple of its size"),
    (r"call stack of \d+ frames is too deep|the call stack", "calls are nested more than 8 deep",
     "call fewer functions"),
    # loops and size
    (r"infinite loop detected|back-edge from insn", "the verifier sees no end of this loop",
     "bound the loop by a constant: `for i in range(N)`"),
    (r"too many instructions|is too large\. Processed|too complex", "the verifier gave up: too many paths to walk",
     "make loops shorter, or move a part into a subprogram of its own"),
    # what is held
    (r"spin_lock-ed region|missing unlock|inside lock", "a spin lock is still held here",
     "leave the `with` block first"),
    (r"function calls are not allowed while holding a lock|global function calls are not allowed while holding",
     "nothing may be called while a spin lock is held", "call it before the lock is taken, and use the result inside"),
    (r"Locking two bpf_spin_locks", "a second spin lock is taken while one is held", "hold one lock at a time"),
    (r"progs cannot use bpf_spin_lock", "programs of this type can't use spin locks",
     "use atomic operations, or per-CPU maps"),
    (r"tail_call would lead to reference leak", "something that was acquired is not given back before the tail call",
     "submit, discard or release it first"),
    (r"Unreleased reference|reference leak|reference has not been acquired",
     "something that was acquired is not given back on this path",
     "submit or discard the reservation, or release the reference, on every path"),
    (r"Expected an initialized (?P<what>\w+)", "this is used before it is initialised, or after it is gone",
     "create it first, on every path that leads here"),
    # calls
    (r"cannot call GPL[- ]restricted function", "this helper is for GPL programs only",
     'build with the licence "GPL"'),
    (r"might sleep|sleepable helper|is sleepable within", "this call may sleep, where nothing may",
     "use a hook that may sleep, or a helper that does not"),
    (r"unknown func|helper call is not allowed in probe|program of this type cannot use helper|invalid func",
     "this kind of program can't call that helper", "use another hook, or another helper"),
    (r"calling kernel function (?P<name>\w+) is not allowed", "programs of this type can't call the kernel's {name}()",
     "use another hook, or a helper"),
    (r"kernel function calls are not supported|kernel btf_id \d+ is not a function|failed to find BTF",
     "this kernel has no such function for programs", "`pybpf doctor` says what this kernel offers"),
    (r"cannot pass map_type (?P<type>\d+) into func (?P<name>\w+)", "{name}() does not take a map of this type",
     "use the methods of the map"),
    (r"Caller passes invalid args|Global function \w+\(\) doesn't return scalar",
     "this call does not fit the signature of a global subprogram", "let it take and return numbers, or inline it"),
    (r"(R(?P<n>\d+)|arg#?\d+) type=(?P<given>\w+) expected=(?P<wanted>.+)",
     "{who} is of the kernel's kind {given}, and this call takes {wanted}",
     "check the order and the types of arguments"),
    (r"arg#?\d+ (expected pointer|pointer type|.* must)", "an argument of this call is of the wrong kind",
     "check the order and the types of arguments"),
    (r"tail_calls? (is|are) not allowed|abusing map_ptr",
     "no tail call can be made here", "make it in the program itself, with the map named in it"),
    # the hook
    (r"dereference of modified ctx ptr", "the context is read at an offset that is not constant",
     "read its fields by name"),
    (r"invalid bpf_context access off=(?P<off>\d+) size=(?P<size>\d+)",
     "this kernel's context has no field of {size} bytes at byte {off} that programs of this type may use this way",
     "leave the field out, or compile for this kernel's hook"),
    (r"(At (program exit|\w+ return)|the register) .*R0 has smin=(?P<low>-?\d+) smax=(?P<high>-?\d+) "
     r"should have been in \[(?P<from>-?\d+), (?P<to>-?\d+)\]",
     "this returns {low} to {high}, where the hook allows {from} to {to}", "return a value in that range"),
    (r"R0 has (unknown scalar value|value .*?) should have been in \((?P<from>\w+); (?P<to>\w+)\)|"
     r"At (program exit|\w+ return) the register R0|R0 not a scalar",
     "the program's return value is outside what its hook allows", "return one of the hook's values"),
    (r"func '(?P<name>\w+)' doesn't have (?P<n>\d+)-th argument", "{name}() has fewer arguments than are read here",
     "compare its prototype in the kernel's source"),
    (r"attach_btf_id|attach to unsupported", "the program can't be attached to this function or member",
     "check its name: `pybpf doctor` says what this kernel offers"),
    # code
    (r"div by zero|invalid shift", "this operand is not allowed", "check it first"),
    (r"unreachable insn", "there is code that nothing reaches", ""),
)  # fmt: skip

_PATTERNS: list[re.Pattern[str]] = []


def meaning_of(message: str, origin: Origin | None = None) -> tuple[str, str] | None:
    """(what a message means, what helps); None for a message that is not known."""
    if not _PATTERNS:
        _PATTERNS.extend(re.compile(pattern) for pattern, _, _ in MEANINGS)
    for pattern, (_, meaning, help) in zip(_PATTERNS, MEANINGS):
        found = pattern.search(message)
        if found:
            register = re.search(r"\bR(\d+)\b", message)
            groups = {name: text for name, text in found.groupdict().items() if text is not None}
            if groups.get("low") is not None and groups.get("low") == groups.get("high"):
                meaning = meaning.replace("{low} to {high}", "{low}")
            return meaning.format(who=_who(register[1] if register else "", origin), **groups), help
    return None


def _who(register: str, origin: Origin | None) -> str:
    if not register:
        return "this value"
    name = origin.variables.get(f"r{register}") if origin is not None else None
    return f"`{name}`" if name else f"register R{register}"
