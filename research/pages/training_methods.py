"""The numbers of docs/explanation/training-methods.md, out of the lines of studies."""

from typing import Any

from claims import script
from results import HERE, Study, read


def claims(page: Any) -> None:
    """Every number of the page."""
    evolution(page)
    slope(page)
    local(page)
    surrogate(page)
    images(page)
    page.given(r"2K evaluations", "a formula")


def evolution(page: Any) -> None:
    """Low-rank evolution against backprop on MNIST."""
    lines = {e["arm"]: e for e in read(HERE / "studies" / "lowrank-es-mnist" / "results.jsonl")}
    es, backprop = lines["low-rank ES"], lines["backprop"]
    page.says("on MNIST with {0:,} weights, one seed: {1:.1f} % after {2:.1f} million evaluations of a "
              "batch of {3}, where backprop reached {4:.1f} % after {5:,} (",
              es["weights"], 100 * es["test"], es["evaluations"] / 1e6, es["config"]["batch_size"],
              100 * backprop["test"], backprop["evaluations"])  # fmt: skip


def slope(page: Any) -> None:
    """What a wrong slope costs."""
    run = script(HERE / "studies" / "recipe-tuning" / "run.py")
    tried = run.search("speech-rsnn", run.lines_of(run.RESULTS)).tried
    mean = {run.told("speech-rsnn", each.change): 100 * each.mean for each in tried}
    page.says("a slope of {0} costs `speech-rsnn` {1:.0f} points on validation data (three seeds",
              2.5, mean["as it is"] - mean["slope 2.5"])  # fmt: skip


def local(page: Any) -> None:
    """Corrections of a local rule."""
    tasks, parts = ("prototypes", "digits"), ("evaluations", "seconds")
    columns = dict(zip(("20,000 evaluations", "six seconds"), parts, strict=True))
    studies = {(t, p): Study(f"local-vs-es-vs-hybrid/{t}-{p}") for t in tasks for p in parts}
    arms = {"scaled": "local-es-normalised", "raw": "local-es-raw"}

    def cell(row: dict[str, str], part: str) -> str:
        task, kind = row["column 0"].split(", ")
        return studies[task, part].less(arms[kind], "local").gap

    page.table("| | 20,000 evaluations", {
        name: lambda row, part=part: cell(row, part) for name, part in columns.items()
    })  # fmt: skip
    past = studies["digits", "seconds"].less("past-guided-es", "local")
    page.says("guided by nothing but its past estimates gains {0.plus} {0.b} there", past)


def surrogate(page: Any) -> None:
    """Corrections of a surrogate gradient."""
    found = Study("hybrid-surrogate/four-arms")
    kinds = ("normalised", "snr", "raw")
    page.says("{0.plus} points {0.b} scaled, {1.plus} {1.b} scaled by its share of signal, and {2.plus} {2.b} raw.",
              *(found.less(f"surrogate-es-{kind}", "surrogate") for kind in kinds))  # fmt: skip


def images(page: Any) -> None:
    """Corrections with many weights."""
    pairs = (("local-es", "two-phase"), ("surrogate-es", "surrogate"))
    found = [
        Study(f"methods-on-images/{part}").less(*p)
        for part in ("mnist", "fashion-mnist")
        for p in pairs
    ]
    page.says("on MNIST {0.plus} points {0.b} over the local rule and {1.plus} {1.b} over the surrogate "
              "gradient, on Fashion-MNIST {2.plus} {2.b} and {3.plus} {3.b}.", *found)  # fmt: skip
    page.given(r"index\.md\), 400,000, a minute", "the width of the networks")
