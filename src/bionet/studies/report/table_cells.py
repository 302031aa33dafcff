"""Numbers as they are written into the tables of a report.

Shares are told in per cent with two digits, other values with four significant ones, an interval
always beside its number. A number that is not there is told in words, never left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bionet.studies.report.costs import Reach
from bionet.studies.report.statistics import Interval, Paired, mean

NOTHING = "not measured"


def number(value: float, share: bool) -> str:
    """A value: in per cent where it is a share."""
    if share:
        return f"{100 * value:.2f}"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def interval(found: Interval, share: bool) -> str:
    """A number with its interval."""
    low, high = number(found.low, share), number(found.high, share)
    return f"{number(found.value, share)} [{low}, {high}]"


def gap(found: Interval, share: bool) -> str:
    """A difference with its interval, in points where it is one of shares."""
    ends = [_sign(each, share) for each in (found.value, found.low, found.high)]
    return f"{ends[0]} [{ends[1]}, {ends[2]}]"


def direction(found: Paired, *, lower: bool) -> str:
    """Returns the direction of a difference, where its interval says so."""
    if found.difference.holds_zero:
        return "not told apart"
    return "behind" if (found.difference.value > 0) is lower else "ahead"


def wins(found: Paired) -> str:
    """On how many seeds an arm is better."""
    ties = f", {found.ties} equal" if found.ties else ""
    return f"{found.wins} of {found.difference.seeds}{ties}"


def amount(value: float) -> str:
    """A cost."""
    if math.isinf(value):
        return "never"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def amounts(values: Sequence[float]) -> str:
    """A mean cost over seeds, with its interval where the seeds differ."""
    if not values:
        return NOTHING
    if len(values) == 1 or len(set(values)) == 1:
        return amount(values[0])
    found = mean(values)
    told = [amount(each) for each in (found.value, found.low, found.high)]
    return told[0] if len(set(told)) == 1 else f"{told[0]} [{told[1]}, {told[2]}]"


def format_reach(found: Reach) -> str:
    """Formats the cost of a threshold: median over seeds, and range of those that reached it."""
    if not found.seeds:
        return NOTHING
    if not found.reached:
        return "never"
    ends = [amount(found.lowest), amount(found.highest)]
    span = ends[0] if ends[0] == ends[1] else " to ".join(ends)
    if math.isinf(found.median):
        return f"half or more never ({span})"
    return span if ends[0] == ends[1] else f"{amount(found.median)} ({span})"


def words(value: object) -> str:
    """Any text as the text of one cell."""
    return " ".join(str(value).split()).replace("|", "\\|")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], text: int = 1) -> str:
    """A Markdown table: so many columns of text, and then numbers, which keep to the right."""
    rule = ["---" if place < text else "---:" for place in range(len(header))]
    lines = [header, rule, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _sign(value: float, share: bool) -> str:
    text = f"{100 * value:+.2f}" if share else f"{value:+.4g}"
    return text.replace("-0.00", "+0.00") if text == "-0.00" else text
