"""The numbers of this study's page, out of its lines."""

from typing import Any

from results import Study, span

TASKS = ("prototypes", "digits")
EVALUATIONS, SECONDS, SWEEP = (
    {task: Study(f"local-vs-es-vs-hybrid/{task}-{part}") for task in TASKS}
    for part in ("evaluations", "seconds", "sweep")
)
SCALED, RAW = "local-es-normalised", "local-es-raw"


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol()
    even = [EVALUATIONS[task].less(arm, "local") for task in TASKS for arm in (SCALED, RAW)]
    page.says("on prototypes {0.plus} points {0.b} scaled and {1.plus} {1.b} raw, on digits {2.plus} "
              "{2.b} and {3.plus} {3.b}, paired", *even)  # fmt: skip
    timed = [SECONDS[task].less(arm, "local") for task in TASKS for arm in (SCALED, RAW)]
    page.says("it loses on prototypes, {0.plus} {0.b} scaled and {1.plus} {1.b} raw, and wins on "
              "digits, {2.plus} {2.b} and {3.plus} {3.b}.", *timed)  # fmt: skip
    digits = SECONDS["digits"]
    page.says("gains as much on digits in those seconds, {0.plus} {0.b}, and evolution",
              digits.less("self-guided-es", "local"))  # fmt: skip
    page.says("its own past estimates gains {0.plus} {0.b} there",
              digits.less("past-guided-es", "local"))  # fmt: skip
    page.says("from the local rule on digits ({0.plus} {0.b})",
              EVALUATIONS["digits"].less("past-guided-es", "local"))  # fmt: skip
    page.says("has {0.v} % {0.b} on five of the ten seeds", SWEEP["digits"].reached("local"))
    evaluations(page)
    validation(page)
    sweeps(page)
    twin = SECONDS["prototypes"]
    page.says("hence {0.v} {0.b} beside an interquartile mean of {1.v}",
              twin.reached("backprop"), twin.interquartile("backprop"))  # fmt: skip
    page.says("it gave the scaled correction {0.v} %, and the untuned sweep has {1.v} % {1.b} at",
              EVALUATIONS["digits"].reached(SCALED), SWEEP["digits"].reached("k8-lam-1-0"))  # fmt: skip
    page.given(r"At equal seconds, six|at lam 1 and sigma 0\.1|of the ten seeds", "settings")


def evaluations(page: Any) -> None:
    """What six seconds are."""
    spent = {
        arm: [round(SECONDS[task].spent(arm, "evaluations"), -2) for task in TASKS]
        for arm in SECONDS["digits"].arms
    }
    page.says("{0:,.0f} and {1:,.0f} evaluations for the local rule", *spent["local"])

    def range_of(*arms: str) -> str:
        return span([round(n, -3) for arm in arms for n in spent[arm]], ",.0f")

    page.says("{0} for what is corrected or self-guided, {1} for evolution alone",
              range_of(SCALED, RAW, "self-guided-es"), range_of("es", "lowrank-es"))  # fmt: skip
    page.says("`es` goes from {0.v} to {1.v} % and `lowrank-es` from {2.v} to {3.v},",
              *(part["prototypes"].reached(arm) for arm in ("es", "lowrank-es")
                for part in (EVALUATIONS, SECONDS)))  # fmt: skip


def validation(page: Any) -> None:
    """Validation data with validation data, test data with test data."""
    after = [
        SECONDS[task].after("local", "seconds", s)
        for task, s in zip(TASKS, (1.9, 0.6), strict=True)
    ]
    ends = [SECONDS[task].ends("local") for task in TASKS]
    page.says("On validation data it has {0.v} % of the prototypes after {4} seconds and {1.v} after "
              "six, and {2.v} % of the digits after {5} seconds and {3.v} after six.",
              after[0], ends[0], after[1], ends[1], 1.9, 0.6)  # fmt: skip
    page.says("On test data it ends at {0.v} and {1.v} %",
              *(SECONDS[task].reached("local") for task in TASKS))  # fmt: skip
    sweep = SWEEP["prototypes"]
    page.says("it has {0.v} % of the validation data after 2,000 evaluations and {1.v} % at the end",
              sweep.after("local", "evaluations", 2000), sweep.ends("local"))  # fmt: skip


def sweeps(page: Any) -> None:
    """Pairs, shares and noise."""
    shapes, digits = SWEEP["prototypes"], SWEEP["digits"]
    sound = [
        shapes.less(arm, "local").value
        for arm in shapes.arms
        if arm.startswith(("k2", "k8", "raw-k8-lam-0", "raw-k8-lam-1-"))
    ]
    page.says("there the corrected arms end {0} points above it on test data", span(sound, ".1f"))
    many = [shapes.reached(arm).value for arm in shapes.arms if arm.startswith("k32")]
    page.says("too few: {0} % on prototypes", span(many, ".0f"))
    gains = [digits.less(f"{k}-lam-1-0", f"{k}-lam-0-25").value for k in ("k2", "k8")]
    page.says("1 is {0} points above 0.25", span(gains, ".0f"))
    costs = [
        [-SWEEP[t].less(f"raw-k8-lam-{lam}", "local").value for t in TASKS]
        for lam in ("3-0", "10-0")
    ]
    page.says("costs {0} points at 3 and {1} at 10", span(costs[0], ".0f"), span(costs[1], ".0f"))
    page.given(r"\*lam\.\* From 0\.25 to 2|on digits 1 is|above 0\.25|raw one works at 0\.3 and 1|points at 3"
               r"|at 10:|are 307 steps|From 0\.025 to 0\.2|; 0\.4 costs|after 2,000 eval", "settings")  # fmt: skip
    page.given(r"a fifth to a seventeenth", "steps")
