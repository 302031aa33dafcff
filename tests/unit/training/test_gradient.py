"""Backprop, and the smooth twin that it trains where there are signs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.trained import trained_mask
from bionet.training import (
    FreeReadout,
    Gradient,
    Objective,
    Restricted,
    SmoothLayer,
    Storage,
    has_signs,
    loss_and_gradient,
    smooth_twin,
)
from bionet.training.control.restricted import TrainedReadout, on_whole
from bionet.training.first_order.twin import UnrolledReadout

KEY = jax.random.key(0)


def square(outputs, y):
    return ((outputs - y) ** 2).mean()


def linear(model, x, key):
    return x @ model["W"]


def test_a_step_by_hand():
    model = {"W": jnp.array([[1.0], [2.0]])}
    x, y = jnp.array([[1.0, 1.0]]), jnp.array([[1.0]])
    method = Gradient(Objective(linear, square), optax.sgd(0.25))
    after, told = method.step(method.init(model, KEY), (x, y), KEY)
    # The error is 2, its square 4, and the gradient 2 * 2 for each weight.
    assert float(told["training_loss"]) == 4.0
    assert float(told["gradient_norm"]) == pytest.approx(4 * np.sqrt(2))
    np.testing.assert_array_equal(after.model["W"], [[0.0], [1.0]])


def test_a_loss_per_example_is_refused(says):
    objective = Objective(linear, lambda outputs, y: (outputs - y)[:, 0])
    method = Gradient(objective, optax.sgd(0.1))
    start = method.init({"W": jnp.zeros((2, 1))}, KEY)
    with says(ValueError, "Objective: the loss needs to be one number per batch, got shape (3,)."):
        method.step(start, (jnp.ones((3, 2)), jnp.ones((3, 1))), KEY)


class TestTwin:
    def test_it_has_the_same_weights_and_no_signs(self, two_hidden, same_bits):
        network = two_hidden.orchestrator
        twin = smooth_twin(network, gain=2.0)
        assert has_signs(network)
        assert not has_signs(twin)
        for edge, module in twin.lmap.edge_items():
            inner = module.inner if isinstance(module, SmoothLayer) else module
            same_bits(inner, network.lmap[edge])
        np.testing.assert_allclose(
            twin.lmap[1, 1].activation(jnp.array([-1.0, 0.0, 0.5])), np.tanh([-2.0, 0.0, 1.0])
        )

    def test_a_twin_and_another_model_stay_as_they_are(self, two_hidden):
        twin = smooth_twin(two_hidden.orchestrator)
        assert jax.tree.structure(smooth_twin(twin)) == jax.tree.structure(twin)
        assert smooth_twin({"W": 1.0}) == {"W": 1.0}

    def test_a_very_steep_twin_answers_as_the_signs_do(self, make_network):
        drawn = make_network(2, exact=False)  # so that no field is zero
        x, network = drawn.x, drawn.orchestrator
        hard, steep = (
            UnrolledReadout(drawn.state, 3)(model, x, KEY)
            for model in (network, smooth_twin(network, 1e6))
        )
        np.testing.assert_allclose(hard, steep, atol=1e-5)

    def test_unrolled_answers_as_settling_does(self, two_hidden):
        x, network = two_hidden.x, two_hidden.orchestrator
        early, all_steps = (
            kind(two_hidden.state, 6)(network, x, KEY) for kind in (FreeReadout, UnrolledReadout)
        )
        np.testing.assert_array_equal(early, all_steps)

    @pytest.mark.slow
    def test_its_gradient_is_that_of_finite_differences(self, one_hidden):
        twin = smooth_twin(one_hidden.orchestrator)
        loss = Objective(UnrolledReadout(one_hidden.state, 3), square)
        batch = (one_hidden.x, one_hidden.y)
        _, gradient = loss_and_gradient(loss, twin, batch, KEY)
        where = lambda tree: tree.lmap[1, 1].inner.J  # noqa: E731
        J, step = where(twin), 1e-2
        for entry in ((0, 1), (3, 2)):
            there, back = (
                loss(eqx.tree_at(where, twin, J.at[entry].add(sign * step)), batch, KEY)
                for sign in (1, -1)
            )
            assert float(where(gradient)[entry]) == pytest.approx(
                float(there - back) / (2 * step), rel=2e-2, abs=1e-4
            )

    def test_the_fixed_diagonal_has_no_gradient_and_does_not_move(self, one_hidden):
        loss = Objective(FreeReadout(one_hidden.state, 3), square)
        method = Gradient(loss, optax.adamw(0.1))
        start = method.init(one_hidden.orchestrator, KEY)
        after, _ = eqx.filter_jit(method.step)(start, (one_hidden.x, one_hidden.y), KEY)
        before, moved = (state.model.lmap[1, 1].inner.J for state in (start, after))
        assert np.array_equal(np.diag(before), np.diag(moved))
        assert not np.array_equal(before, moved)
        masks = trained_mask(start.model)
        assert masks.lmap[1, 1].gain is False

    def test_its_rule_asks_for_the_sign_of_a_graded_target(self):
        layer = RecurrentDiscrete(3, 0.5, 1.0, KEY)
        x, field = jnp.array([[0.2, -0.9, 0.4]]), jnp.array([[0.5, 0.5, -3.0]])
        twin = SmoothLayer(layer).backward(x, x, field)
        hard = layer.backward(x, jnp.sign(x), field)
        np.testing.assert_array_equal(twin.inner.J, hard.J)


class TestRestricted:
    @pytest.mark.slow
    def test_only_the_part_learns(self):
        model = eqx.nn.MLP(2, 1, width_size=3, depth=1, key=KEY)
        objective = Objective(lambda m, x, key: jax.vmap(m.whole)(x), square)
        method = Gradient(objective, optax.adamw(0.1))
        start = method.init(Restricted(model, lambda m: m.layers[-1]), KEY)
        after, _ = method.step(start, (jnp.ones((4, 2)), jnp.ones((4, 1))), KEY)
        whole = after.model.whole
        assert np.array_equal(whole.layers[0].weight, model.layers[0].weight)
        assert not np.array_equal(whole.layers[1].weight, model.layers[1].weight)
        assert jax.tree.structure(whole) == jax.tree.structure(model)

    @pytest.mark.slow
    def test_a_method_of_its_own_trains_the_same_part(self):
        """The same bits as the restricted problem, and the whole model in and out."""
        model = eqx.nn.MLP(2, 1, width_size=3, depth=1, key=KEY)
        method = Gradient(Objective(lambda m, x, key: jax.vmap(m)(x), square), optax.adamw(0.1))
        batch, part = (jnp.ones((4, 2)), jnp.ones((4, 1))), lambda m: m.layers[-1]
        alone = TrainedReadout(method, part)
        after, _ = alone.step(alone.init(model, KEY), batch, KEY)
        restricted = on_whole(method)
        expected, _ = restricted.step(restricted.init(Restricted(model, part), KEY), batch, KEY)
        found, wanted = alone.finish(after), restricted.finish(expected).whole
        assert jax.tree.structure(found) == jax.tree.structure(model)
        for left, right in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_array_equal(left, right)
        assert np.array_equal(found.layers[0].weight, model.layers[0].weight)

    def test_a_method_that_looks_at_no_loss_is_refused(self):
        with pytest.raises(ValueError, match="needs a method that looks at a loss, got Storage"):
            TrainedReadout(Storage(), lambda m: m)
