"""The numbers of this study's page, out of its lines."""

import re
from typing import Any

from results import Study, span

from bionet.studies.report.costs import equal_cost, reach

FOUR, SWEEP = Study("hybrid-surrogate/four-arms"), Study("hybrid-surrogate/sweep")
KINDS = {"none": "", "normalised": "", "by share of signal": "snr-", "raw": "raw-"}


def arm(row: dict[str, str]) -> str:
    """The arm of a row of the sweep."""
    share = row["`lam`"] if "." in row["`lam`"] else f"{row['`lam`']}.0"
    return f"{KINDS[row['correction']]}k{row['K']}-lam-{share.replace('.', '-')}"


def base(row: dict[str, str]) -> str:
    """The arm that pays for the pairs and adds nothing."""
    return f"k{row['K']}-lam-0-0"


def claims(page: Any) -> None:
    """Every number of the page."""
    page.protocol()
    less = {name: FOUR.less(name, "surrogate") for name in FOUR.arms if name != "surrogate"}
    scaled, snr, raw, guided = (
        less[name]
        for name in (
            "surrogate-es-normalised",
            "surrogate-es-snr",
            "surrogate-es-raw",
            "self-guided-es",
        )
    )
    page.says("the scaled correction is {0.less} points behind the surrogate gradient alone {0.b}, the "
              "one scaled by its share of signal {1.less} {1.b}, self-guided evolution {2.less} {2.b}, "
              "none of them told apart from it, and the raw one is {3.less} behind {3.b}",
              scaled, snr, guided, raw)  # fmt: skip
    control = next(name for name in FOUR.arms if "frozen" in name)
    page.says("ends {0.v} points above the frozen control {0.b}", FOUR.less("es", control))

    def paired(row: dict[str, str]) -> str:
        return "" if row["correction"] == "none" else SWEEP.less(arm(row), base(row)).gap

    page.table("| K | correction", {
        "less `surrogate`, equal evaluations": lambda row: SWEEP.less(arm(row), "surrogate").gap,
        "less `lam` 0 at the same K, equal steps": paired,
    })  # fmt: skip
    corrected = [n for n in SWEEP.arms if "-lam-" in n and not n.endswith("lam-0-0")]
    pairs = {name: re.search(r"k\d+", name).group() for name in corrected}
    free = [SWEEP.less(name, f"{pairs[name]}-lam-0-0") for name in corrected]
    page.says("of {0} corrected arms none is told apart above", len(corrected))
    assert not [each for each in free if each.low > 0]
    page.says("{0} are below it", {7: "seven"}[sum(each.high < 0 for each in free)])
    page.says("at `lam` 1 it costs {0.less} points and {1.less} with two and four pairs, where "
              "without it {2.less} and {3.less} are lost",
              *(SWEEP.less(arm({"K": k, "correction": kind, "`lam`": "1"}), f"k{k}-lam-0-0")
                for kind in ("by share of signal", "normalised") for k in ("2", "4")))  # fmt: skip
    found = reach(FOUR["surrogate"].curves("accuracy", "evaluations"), 0.75)
    page.says("`surrogate` has reached {0} % on all {1} seeds, after {2:,} evaluations at the median, "
              "and ends at {3.v} % {3.b}: late", 75, {10: "ten"}[found.reached],
              int(found.median), FOUR.reached("surrogate"))  # fmt: skip
    seconds = [FOUR.spent(n, "seconds") for n in FOUR.arms if "-es" in n and n != "self-guided-es"]
    page.says("in a quarter of the time ({0} s at the median against {1:.1f})", span(seconds, ".1f"),
              FOUR.spent("surrogate", "seconds"))  # fmt: skip
    amount = equal_cost(list(FOUR.arms.values()), "accuracy", "seconds")
    names = ("surrogate", "surrogate-es-normalised", "surrogate-es-snr")
    page.says("After {3:.1f} seconds, on validation data, the surrogate gradient has {0.v} % {0.b}, "
              "the normalised hybrid {1.v} {1.b} and the one by share of signal {2.v} {2.b}.",
              *(FOUR.after(name, "seconds", amount) for name in names), amount)  # fmt: skip
    page.says("ends at {0.v} {0.b}.", FOUR.reached("surrogate-schedule"))
    spread = max(
        max(v) - min(v) for s in (FOUR, SWEEP) for n in s.arms for v in [[*s.values(n).values()]]
    )
    page.says("the seeds of one arm lie up to {0:.0f} points apart", 100 * spread)
    page.given(r"at `lam` 1", "a setting")
    page.given(r"The recipe ends at 99 %|ends at 99 %,", "of the evidence, about")
    page.given(r"between 0 and 1", "a share")
