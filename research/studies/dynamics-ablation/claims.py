"""The numbers of this study's page, out of its lines."""

from pathlib import Path
from typing import Any

from claims import script
from results import HERE, Study, read, shown

from bionet.studies.design.loading import load_study

TASKS = ("prototypes", "digits")
STUDIES = {task: Study(f"dynamics-ablation/{task}") for task in TASKS}
SETTLING = {
    task: read(HERE / "studies" / "dynamics-ablation" / task / "settling.jsonl") for task in TASKS
}


def settled(task: str, arm: str, phase: str, name: str, scale: float = 100.0) -> float:
    """A mean over seeds of what was seen while an arm settled."""
    found = [e["metrics"][phase][name] for e in SETTLING[task] if e["arm"] == arm]
    return shown(found, scale).value


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol()
    task = ""

    def here(row: dict[str, str]) -> tuple[str, str]:
        nonlocal task
        task = row["column 0"] or task
        return task, row["arm"].strip("`")

    def less(row: dict[str, str]) -> str:
        place, arm = here(row)
        return "" if arm == "default" else STUDIES[place].less(arm, "default").gap

    page.table("| | arm | accuracy", {
        "accuracy": lambda row: STUDIES[here(row)[0]].reached(here(row)[1]).v,
        "less `default`, points": less,
        "at rest": lambda row: f"{settled(*here(row), 'free', 'at_rest'):.1f}",
        "steps to rest": lambda row: f"{settled(*here(row), 'free', 'steps', 1):.1f}",
        "spread": lambda row: f"{settled(*here(row), 'free', 'spread'):.0f}",
        "accuracy with the label": lambda row: f"{settled(*here(row), 'clamped', 'accuracy'):.1f}",
    })  # fmt: skip
    answer(page)
    bullets(page)


def answer(page: Any) -> None:
    """The answer."""
    free = [STUDIES[task].less("free-1", "default") for task in TASKS]
    page.says("{0.plus} points {0.b} on prototypes, {1.plus} {1.b} on digits", *free)
    label = {task: STUDIES[task].less("strength-backward-0", "default") for task in TASKS}
    control = {task: STUDIES[task].less("strength-backward-0", "frozen") for task in TASKS}
    page.says("The label is worth {0.less} points {0.lessb} on digits, where a network without it is "
              "no better than its frozen control ({1.plus} {1.b})", label["digits"], control["digits"])  # fmt: skip
    page.says("the network has {0.v} points more {0.b}, and stands {1.v} above its control {1.b} all",
              label["prototypes"], control["prototypes"])  # fmt: skip
    arms = [
        (task, arm) for task in TASKS for arm in dict.fromkeys(e["arm"] for e in SETTLING[task])
    ]
    unrested = [each for each in arms if settled(*each, "free", "at_rest_cap") < 100]
    page.says("With {0} exception in {1} arms every sample comes to rest within 50 steps",
              {1: "one"}[len(unrested)], len(arms))  # fmt: skip
    steps = [settled(*each, "free", "steps", 1) for each in arms if each not in unrested]
    page.says("after {0} on average", {(2, 10): "two to ten"}[round(min(steps)), round(max(steps))])
    moved = [
        abs(settled(*each, "free", "accuracy") - settled(*each, "free", "accuracy_cap"))
        for each in arms
        if each[1] != "free-0"
    ]
    page.says("within {0:.1f} points, where it has any", max(moved))
    script_of = script(Path(__file__).with_name("settling.py"))
    same = [
        script_of.agreement(
            file := load_study(Path(__file__).with_name(task)), script_of.kept(file)
        )
        for task in TASKS
    ]
    counts = [told.split(" networks")[0].split(" of ") for told in same]
    assert all(n == total for n, total in counts)
    page.says(
        "All {0} networks that were trained for the second time", sum(int(n) for n, _ in counts)
    )


def bullets(page: Any) -> None:
    """What stands under the table."""
    page.says("is {0:.1f} and {1:.1f} %. With", STUDIES["digits"].reached("threshold-in-0").value,
              settled("digits", "threshold-in-0", "free", "accuracy_cap"))  # fmt: skip
    rested = [settled(task, "free-1", "free", "at_rest") for task in TASKS]
    page.says("With `free-1` {0:.0f} and {1:.0f} % of the samples are at rest", *rested)
    page.says("the clamped phase answers {0:.0f} % of the test samples right and the free one {1:.1f}",
              settled("digits", "strength-backward-20", "clamped", "accuracy"),
              settled("digits", "strength-backward-20", "free", "accuracy"))  # fmt: skip

    page.says("has {0:.1f} and {1:.1f} % after 50 steps",
              *(settled(task, "free-0", "free", "accuracy_cap") for task in TASKS))  # fmt: skip
    page.says("their frozen controls have {0.v} and {1.v} %",
              *(STUDIES[task].reached("frozen") for task in TASKS))  # fmt: skip
    page.says("The chance level is {0:.0f} %", 100 / 10)
    page.given(r"within 50 steps|after 50 steps|all after 50|strength of 20 on", "settings: steps and a strength")  # fmt: skip
