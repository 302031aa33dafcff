"""research/FINDINGS.md: what every study asked and found, in one page.

It is made of the studies' own pages and nothing is added: from each README.md the title, the
paragraphs that begin with **Question.** and **Answer.** or **Verdict.**, and the command under
**Reproduce.** or **Run it.**; from report.md, where there is one, its tables of results. A study
of several parts has a report in the directory of each.
"""

from __future__ import annotations

import re
from pathlib import Path

from bionet._core.files import write_whole

FILE = "FINDINGS.md"
REPORT = "report.md"
STUDIES = "studies"
ANSWERS = ("Answer", "Verdict")
COMMANDS = ("Reproduce", "Run it")
OPEN = "No answer is written down yet."

_HEAD = """# Findings

What each study under `studies/` asked and found. Its own page has the protocol, the numbers and
their limits. This page is written by `python research/findings.py` out of those pages: change them
instead.
"""


def findings(research: str | Path, prefix: str = f"{STUDIES}/") -> str:
    """The page, as Markdown.

    Args:
        research: the directory that holds `studies`.
        prefix: what links to studies begin with, seen from where the page will be.

    Returns:
        The text, the studies in the order of their names. A study is a directory with a README.md.

    Raises:
        ValueError: there is no study, or its page has no title or no question.

    Example:
        >>> from bionet.studies.report.findings import findings
        >>> print(findings("research"))  # doctest: +SKIP
    """
    root = Path(research) / STUDIES
    found = sorted(page.parent for page in root.glob("*/README.md"))
    if not found:
        raise ValueError(f"There is no study in '{root}'. Give the directory that holds `studies`.")
    return "\n\n".join([_HEAD.strip(), *(_section(path, prefix) for path in found)]) + "\n"


def write_findings(research: str | Path) -> Path:
    """Writes FINDINGS.md into `research` and returns its path."""
    return write_whole(Path(research) / FILE, findings(research))


def _section(study: Path, prefix: str) -> str:
    text, link = (study / "README.md").read_text("utf-8"), f"{prefix}{study.name}/"
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    question = _paragraph(text, ("Question",))
    if title is None or not question:
        lacks = "title ('# ...')" if title is None else "paragraph that begins with '**Question.**'"
        raise ValueError(f"The page '{study.name}/README.md' has no {lacks}. Add one.")
    answer = _paragraph(text, ANSWERS) or OPEN
    parts = [f"## [{title[1].strip()}]({link}README.md)", f"**Question.** {question}"]
    parts.append(f"**Answer.** {answer}")
    for report in (study / REPORT, *sorted(study.glob(f"*/{REPORT}"))):
        parts += _tables(report, link, report.relative_to(study))
    command = _command(text)
    parts += [f"**Reproduce.** `{command}`"] if command else []
    return "\n\n".join(_link(part, link) if part[0] == "*" else part for part in parts)


def _paragraph(text: str, names: tuple[str, ...]) -> str:
    """The first paragraph that begins with one of the names in bold, on one line."""
    for name in names:
        found = re.search(rf"^\*\*{name}\.?\*\*[.,]?\s*(.+?)(?=\n\s*\n|\Z)", text, re.M | re.S)
        if found:
            return " ".join(found[1].split())
    return ""


def _command(text: str) -> str:
    """The first code after the word that announces the command."""
    for name in COMMANDS:
        found = re.search(rf"^\*\*{name}\.?\*\*[^`]*(?:```\w*\n(.+?)\n|`([^`]+)`)", text, re.M)
        if found:
            return " ".join((found[1] or found[2]).split())
    return ""


def _tables(report: Path, link: str, place: Path) -> list[str]:
    """The tables of results of a report, under what they are of: its part, and the data."""
    if not report.is_file():
        return []
    found = re.findall(
        r"^## Results(?: on (.+))?\n(?:(?!^## )(?!^\|).*\n)*((?:^\|.*\n)+)",
        report.read_text("utf-8"),
        re.MULTILINE,
    )
    part = f"Part `{place.parent.name}`: means" if place.parent.name else "Means"
    where = f"[report]({link}{place.as_posix()})"
    told = f"{part} over seeds on the test split, with 95 % intervals ({where})"
    return [f"{told}{f', on {task}' if task else ''}:\n\n{table.strip()}" for task, table in found]


def _link(text: str, link: str) -> str:
    """Links of a study's page, seen from another directory."""
    return re.sub(r"\]\((?!\w+:|#|/)", f"]({link}", text)
