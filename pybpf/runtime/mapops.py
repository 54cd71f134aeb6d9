"""Elements of a map by its file descriptor: bytes in, bytes out.

A missing key is None or False, never an exception; everything else that fails is an `OSError` with the kernel's errno.
All calls release the interpreter lock.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import TYPE_CHECKING

from pybpf.runtime import syscall
from pybpf.runtime.libbpf import library

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LOCKED", "batches", "delete", "keys", "lookup", "online_cpus", "pop", "possible_cpus", "update"]

_NO_BATCH = (errno.EINVAL, errno.EOPNOTSUPP, 524)  # 524: ENOTSUPP
_LOOKUP, _UPDATE, _LOOKUP_AND_DELETE, _LOOKUP_AND_DELETE_BATCH, _DELETE_BATCH = 1, 2, 21, 25, 27  # enum bpf_cmd
ANY, NOEXIST, EXIST, LOCKED = 0, 1, 2, 4  # BPF_ANY, ..., BPF_F_LOCK: include/uapi/linux/bpf.h


def _check(result: int) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(-result))


def lookup(fd: int, key: bytes, size: int, flags: int = 0) -> bytes | None:
    """The `size` bytes at a key, or None. With LOCKED as `flags` the value's spin lock is held meanwhile."""
    value = ctypes.create_string_buffer(size)
    if flags:
        result = library().bpf_map_lookup_elem_flags(fd, key, value, flags)
    else:
        result = library().bpf_map_lookup_elem(fd, key, value)
    if result == -errno.ENOENT:
        return None
    _check(result)
    return value.raw


def update(fd: int, key: bytes, value: bytes, flags: int = ANY) -> None:
    """Set an element. ENOENT or EEXIST by `flags`; E2BIG where the map is full."""
    _check(library().bpf_map_update_elem(fd, key, value, flags))


def delete(fd: int, key: bytes) -> bool:
    """Remove an element; whether it was there."""
    result = library().bpf_map_delete_elem(fd, key)
    if result == -errno.ENOENT:
        return False
    _check(result)
    return True


def pop(fd: int, key: bytes, size: int, flags: int = 0) -> bytes | None:
    """Remove an element and give its value: in one step (hash maps, 5.14), else by a lookup and a delete."""
    value = ctypes.create_string_buffer(size)
    held = ctypes.create_string_buffer(key, len(key)) if key else None
    attr = struct.pack("<IIQQQ", fd, 0, _address(held), ctypes.addressof(value), flags)
    try:
        syscall.bpf(_LOOKUP_AND_DELETE, attr)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        if not key or error.errno not in _NO_BATCH:
            raise
        found = lookup(fd, key, size, flags)
        return found if found is not None and delete(fd, key) else None
    return value.raw


def peek(fd: int, value: bytes | int) -> bytes | None:
    """Look at a map without keys: its next item of `value` bytes, or whether a bloom filter may hold `value`."""
    buffer = ctypes.create_string_buffer(value) if isinstance(value, int) else None
    data = buffer or ctypes.create_string_buffer(value, len(value))  # type: ignore[arg-type]
    try:
        syscall.bpf(_LOOKUP, struct.pack("<IIQQQ", fd, 0, 0, ctypes.addressof(data), 0))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    return data.raw


def push(fd: int, value: bytes, flags: int = ANY) -> None:
    """Add to a map without keys. E2BIG where it is full, unless `flags` is EXIST: then the oldest item makes room."""
    data = ctypes.create_string_buffer(value, len(value))
    syscall.bpf(_UPDATE, struct.pack("<IIQQQ", fd, 0, 0, ctypes.addressof(data), flags))


def _address(buffer: ctypes.Array[ctypes.c_char] | None) -> int:
    return ctypes.addressof(buffer) if buffer is not None else 0


def update_batch(fd: int, pairs: list[tuple[bytes, bytes]], flags: int = 0) -> int:
    """Set many elements (BPF_MAP_UPDATE_BATCH, 5.6): how many are set, 0 where the map can't do it."""
    if not pairs:
        return 0
    keys, values = [ctypes.create_string_buffer(b"".join(part), sum(map(len, part))) for part in zip(*pairs)]
    try:
        return _batch(syscall.MAP_UPDATE_BATCH, fd, ctypes.addressof(keys), ctypes.addressof(values), len(pairs), flags)
    except OSError as error:
        if error.errno in _NO_BATCH:
            return 0
        raise


def delete_batch(fd: int, keys: list[bytes]) -> int:
    """Remove many keys (BPF_MAP_DELETE_BATCH, 5.6), or one by one where the map can't: how many were there.

    The kernel stops at a key that is not there, and is asked again for those behind it.
    """
    if not keys:
        return 0
    size, at, removed = len(keys[0]), 0, 0
    data = ctypes.create_string_buffer(b"".join(keys), size * len(keys))
    while at < len(keys):
        left = len(keys) - at
        try:
            done = _batch(_DELETE_BATCH, fd, ctypes.addressof(data) + at * size, 0, left, 0)
        except OSError as error:
            if error.errno in _NO_BATCH:
                return removed + sum([delete(fd, key) for key in keys[at:]])
            if error.errno != errno.ENOENT:
                raise
            done = struct.unpack_from("<I", error.attr, 32)[0]  # type: ignore[attr-defined]
            at += 1
        removed += done
        at += done
    return removed


def _batch(command: int, fd: int, keys: int, values: int, count: int, flags: int) -> int:
    """A batch over given keys, by their address: how many the kernel did. The attr stands on an error, too."""
    _, attr = syscall.bpf_result(command, struct.pack("<QQQQIIQQ", 0, 0, keys, values, count, fd, flags, 0))
    done: int = struct.unpack_from("<I", attr, 32)[0]
    return done


def keys(fd: int, key_size: int, max_entries: int) -> Iterator[bytes]:
    """All keys by BPF_MAP_GET_NEXT_KEY, each once.

    When the key that was reached is deleted meanwhile, the kernel starts again from the first one; so keys already
    given are skipped, and the number of steps is bounded in case others delete and insert all the time.
    """
    seen: set[bytes] = set()
    last: bytes | None = None
    next_key = library().bpf_map_get_next_key
    buffer = ctypes.create_string_buffer(key_size)
    for _ in range(4 * max_entries + 1024):
        result = next_key(fd, last, buffer)
        if result == -errno.ENOENT:
            return
        _check(result)
        last = buffer.raw
        if last not in seen:
            seen.add(last)
            yield last


def batches(
    fd: int, key_size: int, value_size: int, max_entries: int, flags: int = 0, *, taking: bool = False
) -> Iterator[tuple[int, bytes, bytes]] | None:
    """All elements by BPF_MAP_LOOKUP_BATCH (5.6): (count, keys, values) a batch; None where the map can't do it.
    With `taking` they are removed as well (BPF_MAP_LOOKUP_AND_DELETE_BATCH).

    Hash maps are walked bucket by bucket, so deleting and inserting meanwhile neither repeats nor loses other keys.
    """
    room = max(1, min(max_entries, (1 << 20) // (key_size + value_size) or 1, 4096))
    command = _LOOKUP_AND_DELETE_BATCH if taking else syscall.MAP_LOOKUP_BATCH
    walk = _walk(command, fd, key_size, value_size, room, max_entries, flags)
    try:
        first = next(walk, None)
    except OSError as error:
        if error.errno in _NO_BATCH:
            return None
        raise
    return _chain(first, walk)


def _chain(
    first: tuple[int, bytes, bytes] | None, rest: Iterator[tuple[int, bytes, bytes]]
) -> Iterator[tuple[int, bytes, bytes]]:
    if first is not None:
        yield first
        yield from rest


def _walk(
    command: int, fd: int, key_size: int, value_size: int, room: int, limit: int, flags: int
) -> Iterator[tuple[int, bytes, bytes]]:
    cursor_size = max(8, key_size)
    token = b""
    while True:
        cursor_in = ctypes.create_string_buffer(token, cursor_size) if token else None
        cursor_out = ctypes.create_string_buffer(cursor_size)
        found_keys = ctypes.create_string_buffer(key_size * room)
        found_values = ctypes.create_string_buffer(value_size * room)
        attr = struct.pack(
            "<QQQQIIQQ",
            ctypes.addressof(cursor_in) if cursor_in is not None else 0,
            ctypes.addressof(cursor_out),
            ctypes.addressof(found_keys),
            ctypes.addressof(found_values),
            room, fd, flags, 0,
        )  # fmt: skip
        done = False
        try:
            _, attr = syscall.bpf_result(command, attr)
        except OSError as error:
            if error.errno == errno.ENOSPC and room < limit:  # one bucket holds more than there is room for
                room = min(limit, room * 4)
                continue
            if error.errno != errno.ENOENT:
                raise
            attr, done = error.attr, True  # type: ignore[attr-defined]
        count: int = struct.unpack_from("<I", attr, 32)[0]
        if count:
            yield count, found_keys.raw[: count * key_size], found_values.raw[: count * value_size]
        if done:
            return
        token = cursor_out.raw


_cpus = 0


def possible_cpus() -> int:
    """How many values a per-CPU map has for a key: CPUs that may ever come online."""
    global _cpus
    if not _cpus:
        with open("/sys/devices/system/cpu/possible", encoding="ascii") as file:
            _cpus = max(int(part.rpartition("-")[2]) for part in file.read().strip().split(",")) + 1
    return _cpus


def online_cpus() -> list[int]:
    """The numbers of the CPUs that run now."""
    with open("/sys/devices/system/cpu/online", encoding="ascii") as file:
        spans = [part.partition("-") for part in file.read().strip().split(",")]
    return [cpu for first, _, last in spans for cpu in range(int(first), int(last or first) + 1)]
