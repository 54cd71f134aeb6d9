"""An AF_XDP socket with the standard library alone: rings, frames, receiving. Source: include/uapi/linux/if_xdp.h."""

from __future__ import annotations

import ctypes
import mmap
import select
import socket
import struct

__all__ = ["Xsk"]

_AF_XDP, _SOL_XDP = 44, 283
_MMAP_OFFSETS, _RX_RING, _TX_RING, _UMEM_REG, _FILL_RING, _COMPLETION_RING = 1, 2, 3, 4, 5, 6
_PGOFF_RX, _PGOFF_FILL = 0, 0x100000000
_COPY = 1 << 1  # XDP_COPY
_FRAMES, _SIZE = 16, 4096


class Xsk:
    """A socket that receives what is redirected to it, bound to a queue of an interface (of the thread's namespace)."""

    def __init__(self, interface: str, queue: int = 0) -> None:
        self.socket = socket.socket(_AF_XDP, socket.SOCK_RAW, 0)
        self.frames = mmap.mmap(-1, _FRAMES * _SIZE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.frames))
        self._set(_UMEM_REG, struct.pack("<QQIIII", address, _FRAMES * _SIZE, _SIZE, 0, 0, 0))
        for ring in (_FILL_RING, _COMPLETION_RING, _RX_RING):
            self._set(ring, struct.pack("<I", _FRAMES))
        offsets = struct.unpack("<16Q", self.socket.getsockopt(_SOL_XDP, _MMAP_OFFSETS, 128))
        self.rx, self.fill = offsets[0:4], offsets[8:12]  # producer, consumer, descriptors, flags
        self.rx_ring = mmap.mmap(self.socket.fileno(), self.rx[2] + 16 * _FRAMES, offset=_PGOFF_RX)
        self.fill_ring = self._far_mapping(self.fill[2] + 8 * _FRAMES)
        for i in range(_FRAMES):
            struct.pack_into("<Q", self.fill_ring, self.fill[2] + 8 * i, i * _SIZE)
        struct.pack_into("<I", self.fill_ring, self.fill[0], _FRAMES)
        index = socket.if_nametoindex(interface)
        address_of = struct.pack("<HHIII", _AF_XDP, _COPY, index, queue, 0)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.bind(self.socket.fileno(), address_of, len(address_of)):
            raise OSError(ctypes.get_errno(), "bind of an AF_XDP socket")

    def _far_mapping(self, size: int) -> mmap.mmap:
        return mmap.mmap(self.socket.fileno(), size, offset=_PGOFF_FILL)

    def _set(self, option: int, value: bytes) -> None:
        self.socket.setsockopt(_SOL_XDP, option, value)

    def receive(self, timeout: float = 5) -> bytes:
        """The next frame; b"" if none comes in time."""
        (consumer,) = struct.unpack_from("<I", self.rx_ring, self.rx[1])
        if struct.unpack_from("<I", self.rx_ring, self.rx[0])[0] == consumer:
            ready, _, _ = select.select([self.socket], [], [], timeout)
            if not ready:
                return b""
        at, length, _ = struct.unpack_from("<QII", self.rx_ring, self.rx[2] + 16 * (consumer % _FRAMES))
        found = bytes(self.frames[at : at + length])
        struct.pack_into("<I", self.rx_ring, self.rx[1], consumer + 1)
        return found

    def close(self) -> None:
        self.socket.close()
