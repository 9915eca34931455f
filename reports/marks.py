"""Word-sized drawings for table cells, as SVG of a few hundred bytes: bar, bullet, sparkline."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

_SPARK_W, _SPARK_H = 88, 18
_BULLET_W, _BULLET_H = 180, 18


def bar(fraction: float | None) -> str:
    """A share of the whole as a bar that fills its cell; nothing where the share is unknown."""
    if fraction is None:
        return ""
    return f'<span class="bar"><i style="width:{min(max(fraction, 0.0), 1.0) * 100:.1f}%"></i></span>'


def sparkline(trend: Sequence[float | None] | None) -> str:
    """A row's days as a line from zero, unknown days a gap, the last known day a dot."""
    known = [value for value in trend or () if value is not None]
    if trend is None or len(known) < 2:
        return ""
    top = max(*known, 1e-12)
    points = [
        None
        if value is None
        else (2 + i * (_SPARK_W - 4) / (len(trend) - 1), 2 + (_SPARK_H - 4) * (1 - max(value, 0.0) / top))
        for i, value in enumerate(trend)
    ]
    last = next(point for point in reversed(points) if point is not None)
    return (
        f'<svg class="spark" viewBox="0 0 {_SPARK_W} {_SPARK_H}" aria-hidden="true">'
        f'<path d="{_path(points)}"/><circle cx="{last[0]:.1f}" cy="{last[1]:.1f}" r="2"/></svg>'
    )


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    pen, drawn = "M", []
    for point in points:
        if point is not None:
            drawn.append(f"{pen}{point[0]:.1f} {point[1]:.1f}")
        pen = "M" if point is None else "L"
    return "".join(drawn)


def bullet(
    spent: Decimal | None,
    soft: Decimal | None,
    hard: Decimal | None,
    low: Decimal | None,
    high: Decimal | None,
    tone: str,
) -> str:
    """A budget on one line: bar = spent, thin tick = soft limit, thick tick = hard, shade = forecast band."""
    amounts = [float(amount) for amount in (spent, soft, hard, high) if amount is not None]
    top = max(*amounts, 0.0, 0.0)
    if top == 0:
        return ""
    scale = _BULLET_W / (top * 1.04)
    parts = [f'<rect class="ground" y="3" width="{_BULLET_W}" height="12"/>']
    if low is not None and high is not None:
        parts.append(_rect("band", 3, 12, float(low) * scale, float(high) * scale))
    if spent is not None:
        parts.append(_rect(f"actual {tone}", 6, 6, 0, float(spent) * scale))
    parts += [
        f'<rect class="{name}" x="{float(limit) * scale - width / 2:.1f}" y="1" width="{width}" height="16"/>'
        for name, limit, width in (("soft", soft, 1.5), ("hard", hard, 3))
        if limit is not None
    ]
    head = f'<svg class="bullet" viewBox="0 0 {_BULLET_W} {_BULLET_H}" aria-hidden="true">'
    return f"{head}{''.join(parts)}</svg>"


def _rect(name: str, y: int, height: int, start: float, end: float) -> str:
    start, end = max(min(start, end), 0.0), max(start, end)
    return f'<rect class="{name}" x="{start:.1f}" y="{y}" width="{end - start:.1f}" height="{height}"/>'
