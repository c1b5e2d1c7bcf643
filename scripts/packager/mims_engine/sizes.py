"""How much is held and moved at once."""

from __future__ import annotations

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
CHUNK = 256 * KIB  # read from a file at once
PIECE = 512 * KIB  # decompressed at once: a bomb is met piece by piece
