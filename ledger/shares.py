"""Split an integer total in proportion to weights so that the parts sum to it exactly."""

from __future__ import annotations

from collections.abc import Sequence


def apportion(weights: Sequence[int], total: int) -> tuple[int, ...]:
    """Split `total` by largest remainder; ties go to the earlier part.

    Weights are non-negative. All-zero weights leave everything on the last part, which callers keep for
    what cannot be explained.

    >>> apportion([1, 1, 1], 10)
    (4, 3, 3)
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError(f"cannot apportion {total} by {list(weights)}: negative")
    whole = sum(weights)
    if whole == 0:
        return (*(0 for _ in weights[:-1]), total)
    floors = [weight * total // whole for weight in weights]
    left = total - sum(floors)
    by_remainder = sorted(range(len(weights)), key=lambda i: -(weights[i] * total % whole))
    for i in by_remainder[:left]:
        floors[i] += 1
    return tuple(floors)
