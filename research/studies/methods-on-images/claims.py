"""The numbers of this study's page, out of its lines.

`table.py --write` puts the tables into the page, and `python research/claims.py --write
methods-on-images` the numbers of its sentences.
"""

from pathlib import Path
from typing import Any

from claims import script
from results import Shown, Study, span

TABLE = script(Path(__file__).with_name("table.py"))
MNIST, FASHION = (Study(f"methods-on-images/{part}") for part in TABLE.PARTS)
BOTH = (MNIST, FASHION)
BATCH = 64
CONTROL = {arm: frozen for frozen, arms in TABLE.FROZEN.items() for arm in arms}


def over(study: Study, arm: str) -> Shown:
    """Points above the frozen layers of an arm's own network."""
    return study.less(arm, CONTROL[arm])


def steps(study: Study, arm: str) -> float:
    """Steps of 64 images in a trial, at the median, to two or three digits."""
    found = study.spent(arm, "examples") / BATCH
    return round(found, -2)


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol("Protocol", "Reproduce", "Question", "Full size", "Limits")
    for part in TABLE.PARTS:
        page.block(TABLE.table(part))
    budgets(page)
    answer(page)
    below(page)
    bullets(page)


def budgets(page: Any) -> None:
    """Who had a minute, and who had not."""
    took = [[line["seconds"]["run"] for line in study["frozen-sparse"].lines] for study in BOTH]
    page.says("`frozen-sparse`, with ten times as many units, took {0} s on MNIST and {1} s on Fashion-MNIST",
              *(span(seconds, ".0f") for seconds in took))  # fmt: skip
    page.given(r"where all others had 60|of 16 full ones|within 0\.3 %|is told apart by|four pairs in 400,000", "the budget, the widths")  # fmt: skip
    page.given(r"with 400,000 trained weights|With 400,000", "the size of all networks")


def answer(page: Any) -> None:
    """The first half of the answer."""
    gaps = [study.less(arm, "backprop") for study in BOTH for arm in ("feedback-alignment", "dfa")]
    page.says("On MNIST it reaches {0.v} % {0.b}, feedback alignment and DFA are {1:.2f} points {2} and "
              "{3:.2f} {4} behind it", MNIST.reached("backprop"), -gaps[0].value, gaps[0].to(2).lessb,
              -gaps[1].value, gaps[1].to(2).lessb)  # fmt: skip
    page.says("on Fashion-MNIST it reaches {0.v} % {0.b} and they are {1.less} {1.lessb} and {2.less} {2.lessb} behind it.",
              FASHION.reached("backprop"), gaps[2], gaps[3])  # fmt: skip
    page.says("the surrogate has {0.v} % {0.b} and {1.v} {1.b}, the smooth twin {2.v} {2.b} and {3.v} {3.b}, "
              "before the two-phase rule with {4.v} {4.b} and {5.v} {5.b} and contrastive learning with "
              "{6.v} {6.b} and {7.v} {7.b}.",
              *(study.reached(arm) for arm in ("surrogate", "smooth-twin", "two-phase", "contrastive")
                for study in BOTH))  # fmt: skip
    for arm in (
        "surrogate",
        "smooth-twin",
        "two-phase",
        "contrastive",
        "feedback-alignment",
        "dfa",
    ):
        assert all(over(study, arm).low > 0 for study in BOTH), f"{arm} is above its frozen layers"


def below(page: Any) -> None:
    """The second half of the answer."""
    error_phase = [over(study, "error-phase") for study in BOTH]
    page.says("The error-phase rule is {0.v} points above its own on MNIST {0.b} and not told apart from it on "
              "Fashion-MNIST, {1.v} {1.b}.", *error_phase)  # fmt: skip
    assert error_phase[1].low <= 0 <= error_phase[1].high
    less = [study.less(*pair) for pair in TABLE.CORRECTED.items() for study in BOTH]
    page.says("it costs the local rule {0.less} points {0.lessb} and {1.less} {1.lessb}, the surrogate gradient "
              "{2.less} {2.lessb} and {3.less} {3.lessb}.", *less)  # fmt: skip
    low, full, search = (
        [over(s, arm) for s in BOTH] for arm in ("lowrank-es", "es", "random-search")
    )
    page.says("low-rank is {0.less} points below it {0.lessb} and {1.less} {1.lessb}, full {2.less} {2.lessb} and "
              "{3.less} {3.lessb}, random search {4.less} {4.lessb} and {5.less} {5.lessb}.",
              *low, *full, *(each.to(0) for each in search))  # fmt: skip
    assert all(each.high < 0 for each in (*low, *full, *search))


def bullets(page: Any) -> None:
    """What stands under the tables."""
    named = ("backprop", "two-phase", "surrogate", "error-phase", "local-es", "surrogate-es")
    generations = [
        MNIST.spent("lowrank-es", "evaluations") / 128,
        MNIST.spent("es", "evaluations") / 16,
    ]
    page.says("at the median: {0:,.0f} steps of backprop on MNIST, {1:,.0f} of the two-phase rule, {2:,.0f} of the "
              "surrogate gradient, {3:,.0f} of the sparse network, {4:,.0f} and {5:,.0f} of the local rule and the "
              "surrogate gradient with four pairs each, {6:,.0f} generations of 128 low-rank members, and {7:,.0f} "
              "of 16 full ones.", *(steps(MNIST, arm) for arm in named), *generations)  # fmt: skip
    shares = [steps(FASHION, arm) / steps(MNIST, arm) for arm in (*named, "lowrank-es", "es")]
    page.says("it is the same within a {0}.", {3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 10: "tenth"}[int(1 / max(abs(1 - s) for s in shares))])  # fmt: skip
    first, second = TABLE.CORRECTED.items()
    page.says("`local-es` less `two-phase` is {0.plus} points {0.b} on MNIST and {1.plus} {1.b} on Fashion-MNIST, "
              "`surrogate-es` less `surrogate` {2.plus} {2.b} and {3.plus} {3.b}.",
              *(study.less(*pair) for pair in (first, second) for study in BOTH))  # fmt: skip
    page.says("have a cosine of {0:.3f} with the gradient", (4 / (4 + 400_050 + 1)) ** 0.5)
    assert all(over(FASHION, arm).low <= 0 <= over(FASHION, arm).high for arm in TABLE.CORRECTED)
    easier = [{arm: s.ends(arm).value - s.reached(arm).value for arm in CONTROL} for s in BOTH]
    others = [value for arm, value in easier[0].items() if arm != "backprop"]
    page.says("by {0:.1f} points for backprop and by {1} for the others; those of Fashion-MNIST by {2}.",
              easier[0]["backprop"], span(others, ".1f"), span([*easier[1].values()], ".1f"))  # fmt: skip
