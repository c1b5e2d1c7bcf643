"""Makes the models that the benchmark and the readers' matrix work on."""

from __future__ import annotations

import array
import io
import random
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

TILE = 16 << 20  # far beyond DEFLATE's window of 32 KiB, so that repeating it helps no compressor


def float_tile() -> bytes:
    """Weights: normally distributed float32."""
    rng = random.Random(1)
    return array.array("f", (rng.gauss(0, 0.05) for _ in range(TILE // 4))).tobytes()


def text_tile() -> bytes:
    """Text-like: a dump of weights as decimal numbers."""
    rng = random.Random(2)
    lines = []
    for _ in range(TILE // 390):
        lines.append(" ".join(f"{rng.gauss(0, 0.05):.5f}" for _ in range(50)))
    return "\n".join(lines).encode()[:TILE].ljust(TILE, b"\n")


def repeated(tile: bytes, size: int) -> Iterator[bytes]:
    while size > 0:
        yield tile[:size]
        size -= len(tile)


class Tiles(io.RawIOBase):
    """A file of ``size`` bytes made of a tile, without having it in memory."""

    def __init__(self, tile: bytes, size: int) -> None:
        self._tile, self._size, self._at = tile, size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        start = self._at % len(self._tile)
        data = self._tile[start : start + min(len(buffer), self._size - self._at)]
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def write_model(path: Path, kind: str, size: int, level: int = 6) -> None:
    """A model.tar.gz of about ``size`` bytes unpacked; kind is float, text or files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with tarfile.open(partial, "w:gz", compresslevel=level) as archive:
        if kind == "files":
            tile = text_tile()
            each = 2000
            for number in range(size // (each + 560)):
                member = tarfile.TarInfo(f"part-{number % 500:03}/tensor-{number:07}.json")
                member.size = each
                start = number * 997 % (TILE - each)
                archive.addfile(member, io.BytesIO(tile[start : start + each]))
        else:
            tile = float_tile() if kind == "float" else text_tile()
            member = tarfile.TarInfo("model.bin" if kind == "float" else "model.txt")
            member.size = size
            archive.addfile(member, io.BufferedReader(Tiles(tile, size), 1 << 20))
    partial.rename(path)


if __name__ == "__main__":
    write_model(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
