"""Neighbours solve the old task of spike motifs and fail at the new one, and the recipes say so."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from bionet import zoo

RESEARCH = Path(__file__).parents[2] / "research"
OLD, NEW = ("classification-rsnn", "classification-rsnn-hybrid"), "classification-rsnn-v2"


def means(id):
    """The mean accuracy in per cent of a recipe, its control, its ablation and its baselines."""
    text = (RESEARCH / "evidence" / f"{id}.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    parts = [
        {name: line[name]["accuracy"] for name in ("metrics", "control", "ablation")}
        | line["baselines"]
        for line in lines
    ]
    assert len(parts) == 5
    return {name: 100 * np.mean([part[name] for part in parts]) for name in parts[0]}


def docstring(id):
    module = import_module(zoo.REGISTRY[id].entry_point.partition(":")[0])
    return " ".join(module.__doc__.split())


@pytest.mark.parametrize("id", OLD)
def test_a_nearest_neighbour_is_above_the_old_recipes_and_their_pages_say_so(id):
    reached = means(id)
    assert reached["nearest neighbour"] > reached["metrics"]
    told = f"one nearest neighbour on the raw raster answers {reached['nearest neighbour']:.1f} %"
    assert told in docstring(id)
    assert NEW in docstring(id)


def test_no_rule_comes_near_the_new_one():
    reached = means(NEW)
    others = {name: value for name, value in reached.items() if name != "metrics"}
    assert reached["metrics"] > 90
    assert max(others.values()) < reached["metrics"] - 25
    assert reached["nearest neighbour"] < 40


def test_the_page_of_the_new_one_has_the_numbers_of_its_lines():
    reached, told = means(NEW), docstring(NEW)
    for phrase, name in (
        ("what to expect: {} %", "metrics"),
        ("one nearest neighbour on the raw raster answers {} %", "nearest neighbour"),
        ("a hundred of them {} %", "100 neighbours, smoothed and shifted"),
        ("the frozen control {} %", "control"),
        ("without recurrent weights {} %", "ablation"),
    ):
        assert phrase.format(f"{reached[name]:.1f}") in told.replace("What to", "what to")


def test_what_was_tried_without_a_network_stays_below_it():
    path = RESEARCH / "studies" / "recipe-tuning" / "motif-rules.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    best = {
        channels: 100 * max(line["validation"] for line in lines if line["channels"] == channels)
        for channels in (80, 40)  # both singers, and the first alone
    }
    reached = means(NEW)
    assert best[80] < reached["metrics"] - 25
    assert best[40] < reached["metrics"]
    assert best[80] < reached["100 neighbours, smoothed and shifted"] + 5  # it is the strongest
