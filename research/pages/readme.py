"""The numbers of README.md: its results are written by a script, and nothing else is a result."""

import re
from typing import Any

import readme


def claims(page: Any) -> None:
    """Every number of the page."""
    inside = page.raw.partition(readme.MARKS[0])[2].partition(readme.MARKS[1])[0]
    if inside.strip() != readme.block().strip():
        page.faults.append("its results are not what research/readme.py writes")
    if "Without a frozen control" in inside and "Every recipe is measured" in page.text:
        page.faults.append(
            "it says that every recipe has a control, and its results name some without"
        )
    for table in page.tables:
        table.known |= table.text in inside
    for paragraph in readme.block().split("\n\n"):
        page.given(re.escape(" ".join(paragraph.split())), "written by the script")
    page.given(r"Apache-2\.0", "a licence")
