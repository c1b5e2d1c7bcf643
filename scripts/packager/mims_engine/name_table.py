"""Which names an archive has used."""

from __future__ import annotations

import array

FILE, LINK, FOLDER = 1, 2, 3  # what the name table knows of an entry


class NameTable:
    """Which names an archive has used, in 12 bytes a slot: a million names fit in 36 MB.

    Open addressing over two arrays: one slot holds the hash of the case-folded name (so that names
    that differ only in case meet) and a second hash of the exact name with the kind in its two low
    bits.  A Python set of a million strings would take 150 MB.  A false match needs a collision of
    94 bits of a keyed hash, and would refuse an archive, never let one pass.
    """

    KIND = 3

    def __init__(self) -> None:
        self._count = 0
        self._allocate(1 << 10)

    def _allocate(self, slots: int) -> None:
        self._mask = slots - 1
        self._folded = array.array("Q", bytes(8 * slots))
        self._exact = array.array("I", bytes(4 * slots))

    def _find(self, path: str) -> tuple[int, int, int, bool]:
        """(slot, folded hash, exact hash, a twin in other case was met)."""
        folded = hash(path.casefold()) & 0xFFFF_FFFF_FFFF_FFFF or 1  # 0 marks a free slot
        exact = hash((path,)) & 0xFFFF_FFFC
        slot, twin = folded & self._mask, False
        while self._folded[slot]:
            if self._folded[slot] == folded:
                if self._exact[slot] & ~self.KIND == exact:
                    break
                twin = True
            slot = (slot + 1) & self._mask
        return slot, folded, exact, twin

    def kind(self, path: str) -> int:
        """FILE, LINK or FOLDER; 0 for a name not seen."""
        slot = self._find(path)[0]
        return self._exact[slot] & self.KIND if self._folded[slot] else 0

    def add(self, path: str, kind: int) -> bool:
        """Adds a name that is not there yet; says whether one differing only in case is."""
        slot, folded, exact, twin = self._find(path)
        self._folded[slot], self._exact[slot] = folded, exact | kind
        self._count += 1
        if 3 * self._count > 2 * self._mask:
            self._grow()
        return twin

    def _grow(self) -> None:
        folded, exact = self._folded, self._exact
        self._allocate(2 * len(folded))
        for index, key in enumerate(folded):
            if key:
                slot = key & self._mask
                while self._folded[slot]:
                    slot = (slot + 1) & self._mask
                self._folded[slot], self._exact[slot] = key, exact[index]
