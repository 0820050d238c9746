"""Kubernetes' amounts (`500m`, `1.5Gi`) as whole numbers, so that two of them compare exactly."""

from __future__ import annotations

import re
from functools import lru_cache

DECIMALS = 24  # of the smallest unit: more than an amount of 20 characters can have, thousandths of it included
FACTORS = {"": (1, 0), "m": (1, 3), "k": (10**3, 0), "M": (10**6, 0), "G": (10**9, 0), "T": (10**12, 0)}
FACTORS |= {f"{letter}i": (1024**power, 0) for power, letter in enumerate("KMGT", start=1)}
AMOUNT = re.compile(r"([0-9]+)(?:\.([0-9]+))?([A-Za-z]*)")


@lru_cache(maxsize=1024)
def quantity(text: str) -> int:
    """Return the amount in units of 10**-24. Raises ValueError for what stream.schema.json does not allow."""
    found = AMOUNT.fullmatch(text)
    if found is None or found[3] not in FACTORS:
        raise ValueError(f"{text!r} is no amount")
    whole, decimals = found[1], found[2] or ""
    factor, thousandths = FACTORS[found[3]]
    return int(f"{whole}{decimals}{'0' * (DECIMALS - len(decimals) - thousandths)}") * factor
