"""CRC-32 arithmetic: the CRC of two texts in a row, from the CRCs of each."""

from __future__ import annotations

CRC_POLYNOMIAL = 0xEDB88320  # of CRC-32, bits reflected: bit 31 is x^0


def crc_multiply(a: int, b: int) -> int:
    """The product of two polynomials over GF(2), modulo the CRC's."""
    product = 0
    while a:
        if a & 0x80000000:
            product ^= b
        a = a << 1 & 0xFFFFFFFF
        b = b >> 1 ^ (CRC_POLYNOMIAL if b & 1 else 0)
    return product


def crc_shift(crc: int, length: int) -> int:
    """What ``crc`` contributes to the CRC-32 of a text in which ``length`` bytes follow.

    ``crc32(a + b) == crc_shift(crc32(a), len(b)) ^ crc32(b)``: appending a byte multiplies by x^8,
    so this multiplies by x^(8 * length), by repeated squaring.  zlib's crc32_combine, which Python
    does not offer.
    """
    power = 0x00800000  # x^8
    while length:
        if length & 1:
            crc = crc_multiply(power, crc)
        power = crc_multiply(power, power)
        length >>= 1
    return crc
