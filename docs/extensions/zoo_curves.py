"""The picture of a learning curve, as an SVG of a few kilobytes.

A thin line for each seed and a thick one for their mean, from the losses in the committed lines.
It is drawn by hand and not by Matplotlib, so that the same lines give the same bytes on every
machine, and its colours can be read on a light and on a dark page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 44
INK, ACCENT = "#80868b", "#009688"


def curve(losses: Sequence[Sequence[float]], unit: str, title: str) -> str:
    """The picture.

    Args:
        losses: for each seed, the loss after each epoch.
        unit: what is counted along the bottom, in the singular.
        title: what a reader who cannot see the picture is told.
    """
    length = min(map(len, losses))
    mean = [sum(seed[i] for seed in losses) / len(losses) for i in range(length)]
    marks = ticks(min(map(min, losses)), max(map(max, losses)))
    low, high = marks[0], marks[-1]
    longest = max(map(len, losses))

    def x(epoch: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (epoch - 1) / max(longest - 1, 1)

    def y(loss: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - loss) / (high - low)

    def line(values: Sequence[float], style: str) -> str:
        points = " ".join(f"{x(i):.1f},{y(value):.1f}" for i, value in enumerate(values, 1))
        return f'<polyline points="{points}" fill="none" {style}/>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="13" fill="{INK}" role="img">',
        f"<title>{escape(title)}</title>",
    ]
    for mark in marks:
        parts += [
            f'<path d="M{LEFT} {y(mark):.1f}H{WIDTH - RIGHT}" stroke="{INK}" opacity=".3"/>',
            f'<text x="{LEFT - 8}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:g}</text>',
        ]
    for epoch in sorted({1, *(round(mark) for mark in ticks(1, longest) if 1 < mark <= longest)}):
        parts.append(
            f'<text x="{x(epoch):.1f}" y="{HEIGHT - 24}" text-anchor="middle">{epoch}</text>'
        )
    parts += [line(seed, f'stroke="{INK}" opacity=".6"') for seed in losses]
    parts += [
        line(mean, f'stroke="{ACCENT}" stroke-width="2.5"'),
        f'<text x="{(LEFT + WIDTH) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{unit}</text>',
        f'<text transform="rotate(-90)" x="{-(TOP + HEIGHT - BOTTOM) / 2:.0f}" y="14" '
        'text-anchor="middle">validation loss</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers in equal steps that reach from at most `low` to at least `high`."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(number * step, 10) for number in range(first, last + 1)]
