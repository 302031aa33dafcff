"""What holds for every recipe of the zoo, by a run of two epochs at its real size."""

import ast
import inspect
import io
import json
import re
import socket
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np
import pytest

from bionet import zoo
from bionet.cli.settings import fields_of
from bionet.training.fit import fit
from bionet.training.method import AbstractMethod
from bionet.workloads.workload import PARTS
from bionet.zoo.recipe import Recipe
from bionet.zoo.result import Result
from bionet.zoo.spec import Band, Cost, Margin, RecipeSpec, Reference

STEPS = 2
# Each family, on binary, graded and spiking units; the slow tests show all recipes.
EVERY_DAY = (
    *("prototypes-local", "classification-hybrid", "classification-backprop"),
    *("classification-rsnn", "control-lif-es"),
)
# Less data than the recipe itself takes, where two epochs of that take long.
QUICK = {
    "language-es-v2": {"sequences": 64, "population": 16},
    "language-s5": {"sequences": 128},
    "language-es": {"sequences": 64, "population": 16},
    "speech-rsnn": {"samples": 200},
    "classification-rsnn": {"samples": 200},
    "classification-rsnn-hybrid": {"samples": 200},
    "classification-rsnn-v2": {"samples": 200},
    "control-async-es": {"starts": 16, "schedules": 4},
    "control-cartpole-es": {"starts": 32},
    "control-lif-es": {"starts": 64},
    "prototypes-es": {"population": 16},
    "prototypes-hybrid": {"samples": 200, "pairs": 2},
    "classification-hybrid": {"hidden": 32, "pairs": 2},
}
LONGEST = 90
IMPORTED = ("__future__", "typing", "bionet.workloads", "bionet.zoo")


def no_network(*args, **kwargs):
    raise AssertionError("a demo went to the network")


class Short(NamedTuple):
    """A recipe, what its short demo returned and printed, and the files that it left."""

    recipe: Recipe
    result: Result
    printed: str
    files: list[str]


@pytest.fixture(scope="module", params=sorted(zoo.REGISTRY))
def recipe(request) -> Recipe:
    return zoo.get(request.param)


def mark_slow(ids):
    """All recipes, of which only some are shown every day."""
    slow = pytest.mark.slow
    return [id if id in ids else pytest.param(id, marks=slow) for id in sorted(zoo.REGISTRY)]


@pytest.fixture(scope="module", params=mark_slow(EVERY_DAY))
def short(request, tmp_path_factory) -> Short:
    """A demo of two epochs, without a network, in an empty home on an empty disk."""
    recipe = zoo.get(request.param)
    recipe = recipe.replace(**QUICK.get(recipe.id, {}))
    empty = tmp_path_factory.mktemp("empty")
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "TMPDIR"):
            patch.setenv(name, str(empty))
        patch.setenv("COLUMNS", "100")
        patch.chdir(empty)
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, no_network)
        patch.setattr(socket, "getaddrinfo", no_network)
        result = recipe.demo(STEPS)
    left = [str(path.relative_to(empty)) for path in empty.rglob("*")]
    return Short(recipe, result, printed.getvalue(), left)


def leaves(model):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(eqx.filter(model, eqx.is_array))]


def training_key(seed):
    """The key that a recipe trains with."""
    return jax.random.split(jax.random.key(seed))[1]


def same(left, right):
    return all(np.array_equal(a, b) for a, b in zip(leaves(left), leaves(right), strict=True))


def rebuilt(shown):
    """A spec out of its JSON."""
    tuples = {
        "references": tuple(
            Reference(**{**each, "authors": tuple(each["authors"])}) for each in shown["references"]
        ),
        "datasets": tuple(shown["datasets"]),
        "expected": tuple(Band(**each) for each in shown["expected"]),
        "margins": tuple(Margin(**each) for each in shown["margins"]),
        "cost": None if shown["cost"] is None else Cost(**shown["cost"]),
    }
    return RecipeSpec(**{**shown, **tuples})


class TestSpec:
    def test_it_goes_to_json_and_comes_back(self, recipe):
        assert rebuilt(json.loads(recipe.spec.to_json())) == recipe.spec

    def test_it_is_that_of_the_registry(self, recipe):
        assert recipe.id in zoo.REGISTRY
        assert recipe.spec is zoo.REGISTRY[recipe.id]
        assert recipe.spec.load() is zoo.get(recipe.id)

    def test_its_method_and_family_are_those_of_the_code(self, recipe):
        method = recipe.build_method()
        assert isinstance(method, AbstractMethod)
        assert (method.spec.name, method.spec.family) == (recipe.spec.method, recipe.spec.family)

    def test_its_ablation_changes_a_field_and_says_which_part_it_takes_out(self, recipe):
        assert bool(recipe.ablation) == bool(recipe.ablated)
        if recipe.ablation:
            assert recipe.without().config != recipe.config

    def test_its_bands_are_of_metrics_and_data_that_it_has(self, recipe):
        for band in recipe.spec.expected:
            assert band.metric == recipe.metric
            assert band.dataset in recipe.spec.datasets


class TestFile:
    @pytest.fixture
    def source(self, recipe):
        module = sys.modules[recipe.spec.entry_point.partition(":")[0]]
        return Path(inspect.getsourcefile(module)).read_text()

    def test_it_is_short(self, source):
        assert len(source.splitlines()) < LONGEST

    def test_it_has_no_data_and_no_network_of_its_own(self, source):
        """Those are the workload's, so that all recipes on it train the same."""
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                assert (node.module or "").startswith(IMPORTED), node.module
            assert not isinstance(node, ast.FunctionDef | ast.ClassDef)

    def test_it_reads_from_question_to_recipe(self, source):
        tree = ast.parse(source)
        docstring = ast.get_docstring(tree)
        assert docstring.splitlines()[0].endswith("?")
        assert "The loss is " in " ".join(docstring.split())
        assert re.search(r"\[[a-z]+\d{4}[a-z]+\]|\d{4}\)", docstring)
        named = [
            node.name if isinstance(node, ast.ClassDef) else node.targets[0].id
            for node in tree.body
            if isinstance(node, ast.ClassDef | ast.Assign)
        ]
        assert named[-1] == "RECIPE"
        assert tree.body[-1].targets[0].id == "RECIPE"

    def test_each_field_of_the_config_has_a_comment(self, recipe):
        config = type(recipe.config)
        assert is_dataclass(config)
        assert config.__dataclass_params__.frozen
        assert [field.name for field in fields_of(recipe.config) if not field.comment] == []


class TestConfig:
    def test_it_has_what_every_run_needs(self, recipe):
        assert {"dataset", "epochs", "batch_size"} <= {f.name for f in fields(recipe.config)}
        assert recipe.config.dataset == recipe.spec.datasets[0]

    def test_an_unknown_field_is_told_the_nearest(self, recipe):
        told = f"In recipe {recipe.id!r}: No field is named 'epoch'. Did you mean 'epochs'"
        with pytest.raises(ValueError, match=re.escape(told)):
            recipe.replace(epoch=1)

    def test_an_unknown_data_set_is_told_the_nearest(self, recipe):
        known = recipe.spec.datasets[0]
        told = f"For recipe {recipe.id!r}: No data set is named {known + 'x'!r}. Did you mean "
        for ask in (recipe.on, recipe.fit, lambda name: recipe.replace(dataset=name)):
            with pytest.raises(ValueError, match=re.escape(told)) as caught:
                ask(known + "x")
            assert repr(known) in str(caught.value)

    def test_presets_are_for_its_data_sets_and_fields(self, recipe):
        known = {field.name for field in fields(recipe.config)}
        assert {*recipe.presets} <= {*recipe.spec.datasets} <= {*recipe.workload.datasets}
        for dataset in recipe.spec.datasets:
            assert set(recipe.preset(dataset)) <= known - {"dataset"}

    def test_presets_win_over_defaults_and_changes_over_presets(self, recipe):
        for dataset in recipe.spec.datasets:
            config = recipe.on(dataset).config
            preset = recipe.preset(dataset) | {"dataset": dataset}
            for field in fields(config):
                default = getattr(recipe.config, field.name)
                assert getattr(config, field.name) == preset.get(field.name, default)
            for changed in (
                recipe.replace(epochs=77).on(dataset),
                recipe.on(dataset).replace(epochs=77),
            ):
                assert changed.config.epochs == 77
                assert changed.config.dataset == dataset

    def test_it_can_be_built_for_each_of_its_data_sets(self, recipe):
        for dataset in recipe.spec.datasets:
            there = recipe.on(dataset)
            model = eqx.filter_eval_shape(there.build, jax.random.key(0))
            batch = eqx.filter_eval_shape(there.synthetic_batch, jax.random.key(0), 3)
            loss = eqx.filter_eval_shape(there.loss, model, *batch)
            assert loss.shape == ()
            assert [len(part) for part in batch] == [3, 3]
            if there.workload.state(there.network_config) is not None:
                sizes = there.state().sizes
                assert [part.shape for part in batch] == [(3, *sizes[0]), (3, *sizes[-1])]
            assert isinstance(there.build_method(), AbstractMethod)


class TestDemo:
    def test_it_returns_the_curve(self, short):
        result = short.result
        assert isinstance(result, Result)
        assert isinstance(result, Sequence)
        assert len(result) == STEPS
        assert all(type(loss) is float and np.isfinite(loss) for loss in result)
        assert list(result) == [row["loss"] for row in result.history]
        assert [row["epoch"] for row in result.history] == list(range(1, STEPS + 1))
        assert (result.recipe, result.seed, result.stopped) == (short.recipe.id, 0, "epochs")
        # The grammar says the length of its windows too, so that two tasks are told apart.
        assert result.dataset.partition(",")[0] == short.recipe.config.dataset

    def test_it_prints_a_short_table(self, short):
        text = " ".join(short.printed.split())
        assert f"{short.recipe.id} on {short.result.dataset}, seed 0" in text
        beside = ["frozen control"] * (short.result.control is not None)
        for words in ("test, last epoch", *beside, *short.result.baselines, short.result.verdict()):
            assert words in text
        assert len(short.printed.splitlines()) < 40

    def test_it_leaves_no_file(self, short):
        assert short.files == []

    def test_it_comes_with_control_and_baselines(self, short):
        result = short.result
        assert len(result.baselines) >= 2
        for value in result.baselines.values():
            assert 0.0 <= value <= 1.0
        if result.control is None:
            assert short.recipe.ablation
            return
        assert ("above" in result.verdict()) == (result.gain >= 0.0005)
        assert ("BELOW" in result.verdict()) == (result.gain <= -0.0005)

    @pytest.mark.slow
    def test_the_method_frozen_is_its_control(self, short):
        """Step 1 of the flow: `with_method("frozen")` works wherever a control exists."""
        recipe, control = short.recipe.replace(epochs=STEPS), short.result.control
        if control is None:
            with pytest.raises(ValueError, match="has no frozen control"):
                recipe.with_method("frozen")
            return
        how, epochs, options = short.result.details["control"], 1, {}
        if "readout trained" in how:
            epochs = STEPS
        else:
            options = {"ridge": float(re.search(r"penalty (\S+) chosen", how)[1])}
        frozen = recipe.with_method("frozen", **options)
        fitted = fit(recipe.problem(0), frozen.build_method(), epochs=epochs, key=training_key(0))
        assert frozen.build_method().spec.family == "control"
        untrained = leaves(recipe.problem(0).model)
        moved = [
            not np.array_equal(a, b) for a, b in zip(untrained, leaves(fitted.model), strict=True)
        ]
        assert any(moved)
        assert not all(moved)
        if "without recurrence" not in how:
            assert fitted.test[recipe.metric] == control.metrics[recipe.metric]

    def test_the_control_has_the_networks_own_hidden_layer(self, short):
        if short.recipe.workload.state(short.recipe.network_config) is None:
            pytest.skip("the network is no orchestrator")
        untrained = short.recipe.problem(0).model.lmap
        control = short.result.control.model.lmap
        last = untrained.last
        for (i, j), module in untrained.edge_items():
            if i != last and j < i:
                assert same(control[i, j], module)
        assert not same(control[last, last - 1], untrained[last, last - 1])

    @pytest.mark.slow
    def test_a_run_cut_off_and_resumed_is_the_same_and_another_seed_is_not(self, short, tmp_path):
        recipe = short.recipe.replace(epochs=STEPS)
        problem, method = recipe.problem(0), recipe.build_method()
        kept = {"key": training_key(0), "checkpoint": tmp_path}
        fit(problem, method, epochs=1, **kept)
        resumed = fit(problem, method, epochs=STEPS, resume=True, **kept)
        assert [row["loss"] for row in resumed.history] == list(short.result)
        assert resumed.test == short.result.metrics
        assert same(resumed.model, short.result.model)
        other = fit(recipe.problem(1), method, epochs=1, key=training_key(1))
        assert other.history[0]["loss"] != short.result[0]

    @pytest.mark.parametrize("steps", [-1, -7])
    def test_a_negative_number_of_steps_is_refused(self, recipe, steps):
        told = f"demo of {recipe.id!r}: steps needs 0 or more, got {steps}."
        with pytest.raises(ValueError, match=re.escape(told)):
            recipe.demo(steps)

    def test_its_result_can_be_kept_and_shown(self, short):
        result = short.result
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()
        assert short.recipe.id in result._repr_html_()


def measured(recipe, dataset):
    """What `research/evidence/run.py` has measured of the recipe as it is now."""
    name = recipe.id if dataset == recipe.spec.datasets[0] else f"{recipe.id}.{dataset}"
    path = Path(__file__).parents[2] / "research" / "evidence" / f"{name}.jsonl"
    now = json.loads(json.dumps(recipe.on(dataset).written(), default=str))
    found = [json.loads(line) for line in path.read_text().splitlines()]
    found = [line for line in found if line["config"] == now]
    assert found, "its config has changed since it was measured: run `make evidence`"
    for line in found:
        told = line.get("revisions", {})
        old = [part for part in PARTS if told.get(part, 1) != recipe.revision(part)]
        assert not old, f"{', '.join(old)} changed since it was measured: run `make evidence`"
    return found


@pytest.fixture
def lines(recipe):
    """What was measured on the recipe's own data set."""
    return measured(recipe, recipe.spec.datasets[0])


def mean(lines, part, metric):
    return np.mean([line[part][metric] for line in lines])


class TestEvidence:
    """That it learns, over five seeds at its full length; the lines are committed."""

    def test_it_has_five_seeds_at_least(self, lines):
        seeds = sorted(line["seed"] for line in lines)
        assert seeds == list(range(len(seeds)))
        assert len(seeds) >= 5

    def test_every_curve_falls(self, lines):
        for line in lines:
            assert line["losses"][-1] < line["losses"][0]

    def test_it_beats_its_trivial_baseline_and_its_control(self, recipe, lines):
        reached, trivial = mean(lines, "metrics", recipe.metric), next(iter(lines[0]["baselines"]))
        assert reached > mean(lines, "baselines", trivial) + 0.1
        if lines[0]["control"]:
            assert reached > mean(lines, "control", recipe.metric)

    def test_it_beats_its_ablation_or_is_a_hybrid_that_says_parity(self, recipe, lines):
        if not recipe.ablation:
            pytest.skip("its frozen control is its ablation")
        gain = mean(lines, "metrics", recipe.metric) - mean(lines, "ablation", recipe.metric)
        if recipe.spec.family == "hybrid" and gain <= 0.01:
            module = sys.modules[recipe.spec.entry_point.partition(":")[0]]
            assert "parity" in " ".join(module.__doc__.split())
        else:
            assert gain > 0.01

    def test_its_spec_says_what_the_lines_say(self, recipe):
        bands = [band for band in recipe.spec.expected if band.study == "research/evidence"]
        assert bands
        for band in bands:
            found = measured(recipe, band.dataset)
            assert len(found) == band.seeds
            assert band.low <= mean(found, "metrics", recipe.metric) <= band.high
            assert band.high - band.low <= 0.35  # a policy that fails in one seed of ten

    def test_its_margins_hold_and_leave_nothing_out(self, recipe):
        for dataset in {margin.dataset for margin in recipe.spec.margins}:
            found = measured(recipe, dataset)
            reached = mean(found, "metrics", recipe.metric)
            beside = {name: mean(found, "baselines", name) for name in found[0]["baselines"]}
            for name, part in (("frozen control", "control"), ("ablation", "ablation")):
                if found[0][part]:
                    beside[name] = mean(found, part, recipe.metric)
            margins = [each for each in recipe.spec.margins if each.dataset == dataset]
            assert {each.over for each in margins} == set(beside)
            for margin in margins:
                gain = reached - beside[margin.over]
                assert margin.least <= gain <= margin.least + 0.02

    def test_its_demo_is_quick(self, recipe):
        cost = recipe.spec.cost
        assert cost is not None
        assert cost.demo_seconds < 10
        assert cost.cold_seconds < 25


def test_every_family_is_shown_every_day():
    shown = {zoo.REGISTRY[id].family for id in EVERY_DAY}
    assert shown == {spec.family for spec in zoo.REGISTRY.values()}


class TestTargets:
    """What `prototypes-local` has to reach: it is held against these, not run again."""

    @pytest.fixture
    def recipe(self):
        return zoo.get("prototypes-local")

    def test_prototypes_local_over_five_seeds(self, lines):
        scores, controls = (
            np.mean([line[part]["accuracy"] for line in lines]) for part in ("metrics", "control")
        )
        assert scores >= 0.955
        assert scores >= controls + 0.02
        for line in lines:
            optimum = line["baselines"]["nearest true prototype (optimum)"]
            assert 0.97 < optimum < 0.995
            assert optimum >= line["baselines"]["nearest class mean"] > 0.95
