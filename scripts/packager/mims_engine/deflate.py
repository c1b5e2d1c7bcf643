"""Writing DEFLATE in parallel blocks (RFC 1951)."""

from __future__ import annotations

import collections
import os
import struct
import zlib
from typing import TYPE_CHECKING, Callable

from .sizes import KIB

if TYPE_CHECKING:
    # What only some runs need is imported where it is used: at run time it would cost as much as
    # verifying several megabytes of a model.
    import concurrent.futures

# What a sync flush ends with: an empty stored block less its three header bits (RFC 1951, 3.2.4).
SYNC_MARK = b"\x00\x00\xff\xff"
# Raw bytes compressed at once; fixed, so that the bytes do not depend on cores.
DEFLATE_BLOCK = 512 * KIB

SHORT_PART = 64 * KIB
SAMPLE = 8 * KIB
WINDOW = 32 * KIB
MAX_WORKERS = 8  # more would only wait for the one thread that inflates; and memory stays small
LAST_BLOCK = b"\x03\x00"  # an empty final block with fixed codes
FLUSH_BLOCK = b"\x00" + SYNC_MARK  # an empty stored block, from one byte boundary to the next


def stored_blocks(data: bytes) -> bytes:
    """Stored blocks: one zero byte (not final, type 0), LEN, NLEN, then up to 65535 bytes."""
    parts = []
    for start in range(0, len(data), 0xFFFF):
        part = data[start : start + 0xFFFF]
        parts += [struct.pack("<BHH", 0, len(part), len(part) ^ 0xFFFF), part]
    return b"".join(parts)


def deflate_block(block: bytes, window: bytes) -> bytes:
    """Compresses one block the way that suits it; it ends with a sync mark, at a byte boundary.

    Weights hold no repetitions, only skewed bytes: Huffman codes alone give the same size in a
    fraction of the time.  What hardly shrinks at all is stored, which also makes unpacking nearly
    free.  A sample from the middle tells which it is.
    """
    sample = block[len(block) // 2 : len(block) // 2 + SAMPLE]
    matched = len(zlib.compress(sample, 1))
    coded = len(deflate(sample, 1, zlib.Z_HUFFMAN_ONLY))
    if matched < 0.97 * coded:
        return deflate(block, 6, zlib.Z_DEFAULT_STRATEGY, window)
    if coded < 0.98 * len(sample):
        return deflate(block, 1, zlib.Z_HUFFMAN_ONLY)
    return stored_blocks(block) + FLUSH_BLOCK


def deflate(data: bytes, level: int, strategy: int, window: bytes = b"") -> bytes:
    compressor = (
        zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy, window)
        if window
        else zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    )
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


class BlockDeflater:
    """Compresses what is written in blocks, in parallel, and hands them on in order.

    Every block may refer to the 32 KiB before it, as in one continuous stream.  ``crc`` and
    ``size`` are those of everything written.
    """

    def __init__(self, emit: Callable[[bytes], object]) -> None:
        self.crc = self.size = 0
        self.emitted = 0
        self._hand_on = emit
        self._parts: list[bytes | memoryview] = []  # of the next block
        self._missing = DEFLATE_BLOCK  # bytes, to the next block
        self._window = b""
        self._workers = min(MAX_WORKERS, available_cores())
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None  # for more than one block
        self._pending: collections.deque[concurrent.futures.Future[bytes]] = collections.deque()

    def __enter__(self) -> BlockDeflater:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for future in self._pending:
            future.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def write(self, data: bytes | memoryview) -> None:
        self.crc = zlib.crc32(data, self.crc)
        self.size += len(data)
        view = memoryview(data)
        while len(view) >= self._missing:
            self._parts.append(view[: self._missing])
            view = view[self._missing :]
            self._submit(self._take_block())
        if view:
            # A view keeps all of the piece that it shows a part of: short ones are copied.
            self._parts.append(view if len(view) >= SHORT_PART else bytes(view))
            self._missing -= len(view)

    def _take_block(self) -> bytes:
        block = b"".join(self._parts)
        self._parts.clear()
        self._missing = DEFLATE_BLOCK
        return block

    def _submit(self, block: bytes) -> None:
        if self._pool is None:
            import concurrent.futures

            self._pool = concurrent.futures.ThreadPoolExecutor(self._workers)
        self._pending.append(self._pool.submit(deflate_block, block, self._window))
        self._window = block[-WINDOW:]
        while len(self._pending) > self._workers + 1:
            self._emit(self._pending.popleft().result())

    def flush(self) -> None:
        """Everything written so far is emitted, and nothing later refers to it."""
        while self._pending:
            self._emit(self._pending.popleft().result())
        if self._parts:
            self._emit(deflate_block(self._take_block(), self._window))
        self._window = b""

    def finish(self) -> None:
        self.flush()
        self._emit(LAST_BLOCK)

    def _emit(self, data: bytes) -> None:
        self.emitted += len(data)
        self._hand_on(data)


def available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux: a container may be given some of the cores
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
