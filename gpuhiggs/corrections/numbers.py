"""Numbers of a correctionlib file, to the bit as correctionlib reads them.

It parses JSON with RapidJSON in its default precision, which takes at most 17 digits and multiplies or divides once by
a power of ten: up to 3 ulp from the nearest float64, so that a table that is read correctly differs from correctionlib.
Source: RapidJSON 1.1 reader.h (ParseNumber) and internal/strtod.h (StrtodNormalPrecision).
"""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?")
_EXACT = 2**53 - 1
"""Up to here RapidJSON takes digits into an integer, then into a float64."""
_SAFE = 15
"""So many digits always are an integer below that."""
_DIGITS = 17
_LOWEST = -308
_POWERS = [float(f"1e{k}") for k in range(309)]


def read(text: str) -> float:
    """Return the float64 that correctionlib makes of a JSON number with a fraction or an exponent."""
    if len(text) <= _SAFE and "e" not in text and "E" not in text:
        return float(text)  # an integer below 2⁵³ over a power of ten below 10²³: both ways round once
    match = _NUMBER.fullmatch(text)
    if match is None or len(match.group(2)) > 19:
        return float(text)
    minus, whole, fraction, exponent = match.groups()
    value, power = _significand(whole, fraction or "")
    power += int(exponent or 0)
    if power > -_LOWEST:
        msg = f"the number {text} is too large"
        raise ValueError(msg)
    if power < _LOWEST:
        value, power = value / _POWERS[-_LOWEST], power - _LOWEST
    scaled = 0.0 if power < _LOWEST else value * _POWERS[power] if power >= 0 else value / _POWERS[-power]
    return -scaled if minus else scaled


def _significand(whole: str, fraction: str) -> tuple[float, int]:
    """Return the digits as a float64 and the power of ten that belongs to it."""
    zeros = len(fraction) - len(fraction.lstrip("0")) if whole == "0" else 0
    taken = min(len(fraction), zeros + max(0, _SAFE - len(whole)))
    digits = len(whole) - 1 + max(0, taken - zeros)  # RapidJSON does not count the first one before the point
    value: int | float = int(whole + fraction[:taken])
    for digit in fraction[taken:]:
        if value > _EXACT:
            if digits >= _DIGITS:
                break
            value = float(value) * 10.0 + int(digit)
        else:
            value = value * 10 + int(digit)
        digits += value != 0
        taken += 1
    return float(value), -taken
