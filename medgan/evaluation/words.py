"""Numbers as people read them."""

from __future__ import annotations


def number(value: float) -> str:
    """Two or three digits that count."""
    if value == 0 or abs(value) >= 1000:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"
