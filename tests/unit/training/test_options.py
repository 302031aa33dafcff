"""Options of methods: what they make, which name a run is kept under, and what is refused."""

import dataclasses
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet import zoo
from bionet.training.options import Descent, Settling, as_pairs, later, write_options

GRADIENT = {"W": jnp.array([3.0, -4.0])}
WEIGHTS = {"W": jnp.array([1.0, 2.0])}


def updates(optimizer, steps=3):
    """What an optimiser adds in each of some steps on the same gradient."""
    memory, found = optimizer.init(WEIGHTS), []
    for _ in range(steps):
        update, memory = optimizer.update(GRADIENT, memory, WEIGHTS)
        found.append(np.asarray(update["W"]))
    return np.array(found)


def test_a_constant_rate_is_the_optimiser_itself():
    made = Descent(learning_rate=0.1, optimizer="sgd").build_optimizer(steps=3)
    assert np.array_equal(updates(made), updates(optax.sgd(0.1)))


def test_a_cosine_falls_to_zero_over_the_steps_of_the_run():
    made = Descent(learning_rate=0.5, optimizer="sgd", schedule="cosine").build_optimizer(steps=2)
    by_hand = -np.outer([0.5, 0.25, 0.0], [3.0, -4.0])  # 0.5 (1 + cos(pi t / 2)) / 2
    assert np.allclose(updates(made), by_hand, atol=1e-7)


def test_a_warm_up_rises_from_zero_and_ends_at_a_hundredth():
    made = Descent(learning_rate=1.0, optimizer="sgd", schedule="warmup-cosine")
    sizes = -updates(made.build_optimizer(steps=20), steps=21)[:, 0] / 3
    assert np.allclose(sizes[:3], [0.0, 0.5, 1.0], atol=1e-6)
    assert (np.diff(sizes[2:]) < 0).all()
    assert sizes[20] == pytest.approx(0.01)


def test_a_long_gradient_is_cut_before_the_optimiser_sees_it():
    made = Descent(learning_rate=1.0, optimizer="sgd", clip=1.0).build_optimizer(steps=1)
    assert np.allclose(updates(made, 1), [[-0.6, 0.8]])


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_weights_decay_towards_zero(name):
    plain = Descent(learning_rate=0.1, optimizer=name).build_optimizer(1)
    made = Descent(learning_rate=0.1, optimizer=name, weight_decay=0.5).build_optimizer(1)
    base = updates(plain, 1)
    if name == "adamw":  # Optax's own default is not zero
        base = updates(optax.adamw(0.1, weight_decay=0.0), 1)
    assert np.allclose(updates(made, 1) - base, -0.1 * 0.5 * np.asarray(WEIGHTS["W"]), atol=1e-6)


@pytest.mark.parametrize(
    ("field", "value", "nearest"),
    [("optimizer", "adm", "adam"), ("schedule", "cosin", "cosine")],
)
def test_a_name_that_does_not_exist_is_told_the_nearest(field, value, nearest):
    with pytest.raises(ValueError, match=f"named '{value}'. Did you mean '{nearest}'"):
        Descent(**{field: value}).build_optimizer(1)


def test_a_later_field_is_left_out_of_a_name_while_it_has_its_default():
    @dataclass(frozen=True)
    class Options:
        first: int = 1
        second: int = later(2)

    assert write_options(Options()) == {"first": 1}
    assert write_options(Options(second=3)) == {"first": 1, "second": 3}
    assert write_options(Options(first=5)) == {"first": 5}


def test_pairs_do_not_depend_on_the_order_of_a_mapping():
    assert as_pairs({"b": 1, "a": 2}) == as_pairs((("a", 2), ("b", 1))) == (("a", 2), ("b", 1))


class TestEdges:
    recipe = zoo.get("prototypes-local")

    def scales(self, **options):
        given = (self.recipe.workload, self.recipe.network_config)
        return Settling(**options).edge_scales(*given)

    def test_without_rates_nothing_is_scaled(self):
        assert self.scales() == {"edge_rates": None, "edge_decays": None}

    def test_each_kind_of_edge_has_its_rate(self):
        found = self.scales(rate_in=0.25, rate_recurrent=0.5, rate_out=2.0, rate_back=0.125)
        assert found["edge_rates"] == {(1, 0): 0.25, (1, 1): 0.5, (2, 1): 2.0}
        assert found["edge_decays"] == {}

    def test_decays_are_for_the_edges_that_have_one(self):
        found = self.scales(decay_in=0.01, decay_out=0.02)
        assert found["edge_decays"] == {(1, 0): 0.01, (2, 1): 0.02}

    def test_what_does_not_learn_has_no_rate(self):
        """The frozen feedback (1, 2), and the output row itself."""
        assert set(self.scales(rate_out=2.0)["edge_rates"]) == {(1, 0), (1, 1), (2, 1)}

    def test_feedback_that_learns_has_the_readouts_rate_times_its_own(self):
        recipe = zoo.get("classification-local-sparse")
        given = (recipe.workload, recipe.network_config)
        found = Settling(rate_out=2.0, rate_back=0.25).edge_scales(*given)
        assert found["edge_rates"][1, 2] == 0.5


def test_options_are_compared_by_their_numbers():
    """They name what is compiled: the same numbers are the same method."""
    assert Settling(clamped=3) == Settling(clamped=3)
    assert hash(Settling(clamped=3)) == hash(dataclasses.replace(Settling(), clamped=3))
