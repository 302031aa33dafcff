"""Every method that has a word: its options, its defaults, and what they leave out."""

import dataclasses
import inspect

import jax
import pytest

from bionet import zoo
from bionet.cli.settings import fields_of
from bionet.training import AbstractMethod, fit
from bionet.training.options import write_options
from bionet.training.registry import METHODS, UnknownMethodError, make_options, register_method

GIVEN = {"self", "state", "objective", "network", "graph", "mesh", "optimizer", "local", "readout"}
"""Arguments that come from the workload or from several options together."""
BY = {  # arguments that options give under other names, or in another form
    "edge_rates": "rate_in",
    "edge_decays": "decay_in",
    "label_code": "label_on",
    "options": "settings",
}
NOT = {
    "bulk": "a function: the smooth twin's gradient stands for it",
    "surrogate": "a function: the smooth twin's gradient stands for it",
    "steps": "the workload's number of steps to settle",
    "hidden": "the control takes the better of the two",
}
DEFAULTS = {  # by word, as they were before options stood beside their methods
    "two-phase": {"learning_rate": 2e-3, "optimizer": "adam", "clamped": None, "free": None},
    "error-phase": {"learning_rate": 2e-3, "optimizer": "adam", "clamped": None, "free": None},
    "contrastive": {"learning_rate": 2e-3, "optimizer": "adam", "clamped": None, "free": None},
    "feedback-alignment": {"learning_rate": 1e-3, "optimizer": "adam", "strength": 1.0},
    "dfa": {"learning_rate": 1e-3, "optimizer": "adam", "strength": 1.0},
    "backprop": {"learning_rate": 1e-3, "optimizer": "adam", "gain": 1.0},
    "surrogate": {"learning_rate": 1e-3, "optimizer": "adam", "kind": "arctan", "slope": None},
    "es": {
        "learning_rate": 1e-2,
        "optimizer": "adam",
        "strategy": "Open_ES",
        "population": 64,
        "sigma": 0.05,
        "chunk": None,
    },
    "lowrank-es": {
        "learning_rate": 1e-2,
        "optimizer": "adam",
        "rank": 1,
        "population": 256,
        "antithetic": True,
        "sigma": 0.05,
        "chunk": None,
    },
    "random-search": {"population": 64, "sigma": 0.05, "chunk": None},
    "storage": {"learning_rate": 1.0, "optimizer": "sgd", "rule": "perceptron"},
    "frozen": {"ridge": 100.0},
    "local-es": {
        "num_samples": 8,
        "sigma": 0.05,
        "lam": 0.2,
        "normalize": True,
        "snr": False,
        "chunk": None,
    },
}
DEFAULTS["surrogate-es"] = {"learning_rate": 1e-3, "optimizer": "adam"} | DEFAULTS["local-es"]
GUIDED = DEFAULTS["surrogate-es"] | {"lam": 1.0, "normalize": False}
DEFAULTS |= {"self-guided-es": GUIDED, "past-guided-es": GUIDED | {"decay": 0.9}}


@pytest.mark.parametrize("word", METHODS)
class TestEveryMethod:
    def test_it_can_be_registered_as_a_users_own_is(self, word):
        assert register_method(METHODS[word]) is METHODS[word]
        assert METHODS[word].spec.name == word

    def test_each_option_has_a_default_and_a_comment(self, word):
        options = METHODS[word].Options()
        assert hash(options) == hash(METHODS[word].Options())
        assert [field.name for field in fields_of(options) if not field.comment] == []

    def test_the_name_of_a_run_holds_what_it_held(self, word):
        """A field more would give every committed trial another hash."""
        if word != "async-two-phase":  # a word since then
            assert write_options(METHODS[word].Options()) == DEFAULTS[word]

    def test_every_argument_can_be_reached_by_name(self, word):
        names = {field.name for field in dataclasses.fields(METHODS[word].Options)}
        for name in inspect.signature(METHODS[word].__init__).parameters:
            assert BY.get(name, name) in names | GIVEN | NOT.keys(), name


def test_an_unknown_word_is_told_the_nearest():
    with pytest.raises(UnknownMethodError, match="No method is named 'two-phas'. Did you mean 'tw"):
        METHODS["two-phas"]
    with pytest.raises(ValueError, match="In method 'es': No option is named 'sigm'"):
        make_options("es", {"sigm": 1.0})


class Bare(AbstractMethod):
    def init(self, model, key): ...

    def step(self, train_state, batch, key): ...

    def finish(self, train_state): ...


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (int, "must be a class that derives from AbstractMethod"),
        (Bare, "needs `spec`, a MethodSpec"),
    ],
)
def test_a_class_that_lacks_something_is_told_what(kind, told):
    with pytest.raises(TypeError, match=told):
        register_method(kind)


class TestByInstance:
    def test_it_trains_as_the_word_does(self):
        recipe = zoo.get("prototypes-es").replace(hidden=4, steps=1, samples=64, batch_size=32)
        method = recipe.switch("random-search", {"population": 4}).build_method()
        named = recipe.with_method("random-search", population=4).fit(epochs=1, progress=False)
        given = recipe.with_method(method).fit(epochs=1, progress=False)
        assert list(given) == list(named)
        assert given.details["method"] == "random-search"

    def test_another_objective_is_refused_at_once_and_after_a_change(self):
        recipe = zoo.get("prototypes-es").replace(hidden=4)
        method = recipe.switch("es", {"population": 4}).build_method()
        with pytest.raises(ValueError, match="must be that of the workload as it is set up"):
            recipe.replace(steps=3).with_method(method)
        with pytest.raises(ValueError, match="must be that of the workload as it is set up"):
            recipe.with_method(method).replace(steps=3)
        assert recipe.with_method(method).replace(samples=64).instance is method

    def test_options_are_for_words(self):
        recipe = zoo.get("prototypes-es")
        with pytest.raises(ValueError, match="options are for a method that is named"):
            recipe.with_method(recipe.build_method(), sigma=0.1)


class TestOwnWord:
    def test_it_keeps_the_tuned_options(self):
        recipe = zoo.get("classification-dfa")
        assert recipe.with_method("dfa", strength=0.5).switched.options == dataclasses.replace(
            recipe.own_choice().options, strength=0.5
        )

    def test_another_word_has_its_own_defaults(self):
        recipe = zoo.get("classification-dfa").with_method("surrogate-es")
        assert recipe.switched.options == METHODS["surrogate-es"].Options()


ASYNC = {"clamped": 2, "free": 2, "episodes": 2, "delay": 0.02, "window": 2}


@pytest.mark.slow
@pytest.mark.parametrize("id", ["prototypes-es", "prototypes-local"])
def test_any_network_of_a_layer_map_can_learn_without_a_clock(id):
    """With a way back for the label and without: the recipes have no timing of their own."""
    recipe = zoo.get(id).replace(hidden=8, batch_size=8, samples=32)
    method = recipe.with_method("async-two-phase", **ASYNC).build_method()
    problem = recipe.problem(0)
    result = fit(problem, method, epochs=1, key=jax.random.key(0))
    before, after = problem.model.lmap[1, 0].W, result.model.lmap[1, 0].W
    assert not bool((before == after).all())


@pytest.mark.slow
def test_rates_and_delays_of_options_are_those_of_the_nodes():
    recipe = zoo.get("prototypes-local").replace(hidden=8)
    options = {**ASYNC, "input_rate": 30.0, "hidden_rate": 25.0, "output_rate": 10.0}
    nodes = recipe.with_method("async-two-phase", **options).build_method().network.nodes
    assert sorted(node.rate for node in nodes.values()) == [10.0, 25.0, 30.0]


class TestWhatATestRegisters:
    """The registry of the process is that of a new one again after each test."""

    @pytest.mark.parametrize("turn", [1, 2])
    def test_a_word_of_a_page_is_gone_after_it(self, turn):
        assert "leaking" not in METHODS
        METHODS._entries["leaking"] = "nowhere:Nothing"
