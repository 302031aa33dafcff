"""The tables are what the lines say: the strongest rule, a word where something simpler wins, and
one range for a mean and another one for a single run.
"""

import numpy as np
import pytest

from bionet import zoo
from bionet.zoo.catalogue import SPECS


def made(reached, baselines, control=None, ablation=None):
    """Lines of a recipe, one for each seed."""
    return [
        {
            "recipe": "prototypes-local",
            "metric": "accuracy",
            "metrics": {"accuracy": value},
            "baselines": baselines,
            "control": control and {"accuracy": control},
            "ablation": ablation and {"accuracy": ablation, "without": "its heart"},
        }
        for value in reached
    ]


@pytest.fixture(scope="module")
def lines(script):
    return script("lines")


def cells(lines, *args, **kwargs):
    return dict(zip(lines.HEAD, lines.row(made(*args, **kwargs), "toys"), strict=True))


def test_the_rule_that_is_shown_is_the_strongest_and_no_optimum(lines):
    rules = {"counts": 0.106, "nearest": 0.8, "knows it all (optimum)": 0.99}
    told = cells(lines, [0.94, 0.95], rules, control=0.4)
    assert told["strongest rule"] == "nearest 80.0 %; knows it all (optimum) 99.0 %"
    assert told["frozen control"] == "40.0 %"
    assert told["without what it is about"] == ""


def test_what_is_above_the_recipe_or_equal_to_it_says_so(lines):
    told = cells(lines, [0.9, 0.9], {"a": 0.2, "b": 0.95}, control=0.9, ablation=0.91)
    assert told["strongest rule"] == "b 95.0 % **(above)**"
    assert told["frozen control"] == "90.0 % **(equal)**"
    assert told["without what it is about"] == "91.0 % **(above)** (its heart)"
    assert cells(lines, [0.9, 0.9], {}, control=None)["frozen control"] == "none"


def test_one_run_has_a_wider_range_than_a_mean(lines):
    values = [0.94, 0.95, 0.955, 0.96, 0.97]
    low, high = lines.one_run(values)
    reach = 2.7764451 * np.std(values, ddof=1) * np.sqrt(6 / 5)  # t of 4 degrees of freedom
    assert (low, high) == pytest.approx((np.mean(values) - reach, np.mean(values) + reach))
    inner = lines.interval(values)
    assert low < inner[0] < inner[1] < high
    assert lines.one_run([0.0] + [1.0] * 9) == (0.0, 1.0)  # the seed that failed is inside
    assert lines.one_run([1.0, 1.0]) == (1.0, 1.0)


def test_one_run_in_twenty_misses_its_range(lines):
    """Runs that spread normally, far from the ends; the band of the mean misses most of them."""
    draws = np.random.default_rng(0).normal(0.5, 0.01, size=(400, 6))
    bands = [lines.one_run(list(seeds[:5])) for seeds in draws]
    inside = np.mean(
        [low <= new <= high for (low, high), new in zip(bands, draws[:, 5], strict=True)]
    )
    assert 0.92 < inside < 0.98
    means = [lines.interval(list(seeds[:5])) for seeds in draws[:60]]
    hits = [low <= new <= high for (low, high), new in zip(means, draws[:60, 5], strict=True)]
    assert np.mean(hits) < 0.6


def test_every_seed_is_within_the_band_of_one_run(lines):
    """What a demo or a single run is held against; the band of the mean would refuse many."""
    outside_the_mean = 0
    for spec in SPECS:
        for band in spec.expected:
            found = [line["metrics"][band.metric] for line in lines.lines_of(spec.id, band.dataset)]
            assert found or band.study != "research/evidence"
            assert band.run_low is not None
            assert band.run_low <= band.low <= band.high <= band.run_high
            assert all(band.run_low <= value <= band.run_high for value in found)
            outside_the_mean += sum(not band.low <= value <= band.high for value in found)
    assert outside_the_mean > 0


def test_the_spec_of_every_recipe_is_what_the_lines_give(script, root):
    path = root / "src" / "bionet" / "zoo" / "measured.json"
    told = "measured.json is out of date: run research/evidence/publish.py"
    assert path.read_text("utf-8") == script("publish").published(), told


def test_the_results_of_the_readme_are_what_the_lines_give(script):
    readme = script("readme")
    page = readme.README.read_text("utf-8")
    assert readme.written(page, readme.block()) == page, "run research/readme.py"
    for id in zoo.REGISTRY:
        assert f"| `{id}` |" in page


def test_who_has_no_control_and_who_is_beaten_is_said(script, lines):
    readme = script("readme")
    found = [("a", "toys", made([0.9], {"b": 0.95})), ("c", "toys", made([0.9], {"d": 0.1}, 0.2))]
    told = readme.standing(found)
    assert "as good as the recipe, or better: `a` on toys (b)." in told
    assert told.endswith("Without a frozen control: `a`.")
    assert "No frozen control is as good" in told
    told = readme.standing([("c", "toys", made([0.9], {"d": 0.1}, 0.95))])
    assert "The frozen control is as good as the recipe, or better: `c` on toys." in told
    assert told.endswith("Every recipe has a frozen control.")


def test_a_table_of_the_site_shows_the_same_rule(script, extension):
    results = extension("zoo_results")
    each = results.Measured(
        "classification-local", "digits", "two-phase", "accuracy", (0.9, 0.9), "evidence",
        control=(0.95, 0.95), baselines={"chance": 0.1, "near": 0.98, "all (optimum)": 1.0},
    )  # fmt: skip
    assert results.rule_told(each).replace("\u00a0", " ") == "near 98.0 % **(above)**"
    assert results.control_told(each).replace("\u00a0", " ") == "95.0 % **(above)**"
