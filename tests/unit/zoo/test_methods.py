"""Every method on every recipe: a step where its needs are met, and the named need elsewhere.

All pairs are traced in full, shapes and errors included, which is what differs between them;
running them all would only compile the same steps again. One pair per method does run.
"""

import re

import equinox as eqx
import jax
import numpy as np
import pytest

from bionet import zoo
from bionet.training.method import AbstractMethod
from bionet.training.options import OPTIMIZERS, Descent
from bionet.training.registry import METHODS

KEY = jax.random.key(0)
BINARY = {"two-phase", "error-phase", "contrastive", "async-two-phase", "local-es"}
MLP = {"feedback-alignment", "dfa"}
SMALL = {"population": 4}


def small(name):
    """Options with which a method is quick."""
    known = METHODS[name].Options.__dataclass_fields__
    return {field: value for field, value in SMALL.items() if field in known}


def fits(recipe, name):
    """Whether the recipe's network has what the method needs."""
    if name in BINARY:
        if recipe.workload.settling_steps(recipe.network_config) is None:
            return False
        lmap = recipe.build().lmap
        return name != "error-phase" or any((i, lmap.last) in lmap for i in lmap.rows()[:-1])
    if name in MLP:
        return recipe.spec.architecture == "mlp"
    if name == "storage":
        return recipe.spec.application == "memory"
    if name == "frozen":
        return recipe.spec.application != "memory"  # all other networks have a hidden layer
    return True


def trace_step(recipe, name):
    """A step as `fit` takes it, traced: what it returns, and the state before it."""
    method = recipe.replace(batch_size=4).switch(name, small(name)).build_method()

    def run(key):
        before = method.init(recipe.build(key), key)
        after, metrics = method.step(before, recipe.synthetic_batch(key, 4), key)
        return eqx.filter((before, after), eqx.is_array), metrics

    (before, after), metrics = jax.eval_shape(run, KEY)
    return method, before, after, metrics


# One recipe of each architecture; methods on the others, and on those that take long to trace, are
# for the slow tests.
LONG = {"control-async-es", "language-s5", "prototypes-async-local", "speech-rsnn"}
EVERY_DAY = {spec.architecture: id for id, spec in sorted(zoo.REGISTRY.items())}.values()
EVERY_DAY = {*EVERY_DAY} - LONG
RECIPES = [
    id if id in EVERY_DAY else pytest.param(id, marks=pytest.mark.slow)
    for id in sorted(zoo.REGISTRY)
]


@pytest.fixture(scope="module", params=RECIPES)
def recipe(request):
    return zoo.get(request.param)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_runs_or_says_what_it_needs(recipe, name):
    if not fits(recipe, name):
        with pytest.raises(ValueError, match=re.escape(f"The method '{name}") + ".* needs "):
            trace_step(recipe, name)
        return
    method, before, after, metrics = trace_step(recipe, name)
    assert isinstance(method, AbstractMethod)
    assert metrics
    assert after.step.shape == ()
    assert jax.tree.structure(after) == jax.tree.structure(before)
    assert jax.tree.leaves(after) == jax.tree.leaves(before)  # shapes, so that a step may follow


@pytest.mark.parametrize("name", METHODS)
def test_its_name_is_the_word_that_switches_it_on(name):
    own = {
        "storage": "memory-hebbian",
        "error-phase": "prototypes-local",
        **dict.fromkeys(MLP, "classification-dfa"),
    }
    recipe = zoo.get(own.get(name, "prototypes-es"))
    spec = recipe.with_method(name, **small(name)).build_method().spec
    assert spec.name == name or spec.name == f"{name}-readout"


def test_a_memory_has_nothing_to_freeze_and_says_so():
    """The reason is not that its network is no orchestrator."""
    with pytest.raises(ValueError, match="has no frozen control: all weights"):
        zoo.get("memory-hebbian").with_method("frozen")


@pytest.mark.slow
def test_another_method_gives_the_same_kind_of_result():
    name, recipe = "backprop", zoo.get("prototypes-es").replace(hidden=8, steps=2, population=4)
    own = recipe.fit(epochs=1, progress=False)
    other = recipe.with_method(name, **small(name)).fit(epochs=1, progress=False)
    assert set(other.metrics) == set(own.metrics)
    assert other.baselines == own.baselines
    assert other.control.metrics == own.control.metrics
    assert other.details["method"] == "backprop on the smooth twin (tanh for each sign)"
    assert all(np.isfinite(loss) for loss in other)


def test_the_same_options_make_one_method():
    recipe = zoo.get("prototypes-es")
    one, again, other = (
        recipe.with_method("random-search", population=size).build_method() for size in (4, 4, 6)
    )
    assert one is again
    assert one is not other


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_can_be_made(name):
    assert Descent(optimizer=name).build_optimizer(1).init({"W": jax.numpy.ones(2)}) is not None


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (("dffa", {}), "No method is named 'dffa'. Did you mean 'dfa'?"),
        (
            ("backprop", {"learning_rat": 1.0}),
            "In method 'backprop': No option is named 'learning_rat'. Did you mean 'learning_r",
        ),
        (("backprop", {"optimizer": "adamm"}), "No optimiser is named 'adamm'. Did you mean 'adam"),
        (("es", {"strategy": "OpenES"}), "'OpenES'. Did you mean 'Open_ES'"),
        (("es", {"population": 7}), "7"),
    ],
)
def test_what_does_not_exist_is_told_the_nearest(ask, told):
    name, options = ask
    with pytest.raises(ValueError, match=re.escape(told)):
        zoo.get("prototypes-es").with_method(name, **options)


class TestTunedOptions:
    """The first of: what is given, what was tuned on this workload and data set, the defaults."""

    def test_another_recipe_on_the_workload_gives_its_own(self):
        own = zoo.get("classification-dfa").own_choice().options
        recipe = zoo.get("classification-backprop").with_method("dfa", strength=0.5)
        options = recipe.switched.options
        assert (options.learning_rate, options.schedule) == (own.learning_rate, own.schedule)
        assert options.learning_rate != METHODS["dfa"].Options().learning_rate
        assert options.strength == 0.5
        assert recipe.options_from == "tuned for classification-dfa; given: strength"

    def test_its_own_method_keeps_its_own(self):
        recipe = zoo.get("classification-dfa")
        switched = recipe.with_method("dfa")
        assert switched.switched == recipe.own_choice()
        assert switched.options_from == "tuned for this recipe"

    def test_a_method_that_nobody_has_tuned_there_has_its_defaults(self):
        recipe = zoo.get("classification-backprop").with_method("random-search", population=4)
        assert recipe.switched.options == METHODS["random-search"].Options(population=4)
        assert recipe.options_from == "the method's defaults; given: population"

    def test_another_workload_has_nothing_to_say(self):
        """`control-cartpole-es` has the tags of `control-lif-es`, and another task."""
        recipe = zoo.get("control-lif-es").with_method("es")
        assert recipe.options_from == "tuned for this recipe"
        other = zoo.get("classification-rsnn-v2").with_method("surrogate-es", num_samples=2)
        assert other.options_from.startswith("the method's defaults")

    def test_an_arm_of_a_study_is_not_tuned_by_it(self):
        recipe = zoo.get("classification-backprop").switch("dfa", {})
        assert recipe.switched.options == METHODS["dfa"].Options()

    @pytest.mark.slow
    def test_the_result_says_which(self):
        recipe = zoo.get("prototypes-local").replace(hidden=8, samples=64).with_method("es")
        result = recipe.fit(epochs=1, progress=False)
        assert result.details["options"] == "tuned for prototypes-es"
        assert "Options of es: tuned for prototypes-es." in result._repr_html_()
