"""haiku networks as models: there, trained, and back."""

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.interop.haiku import HaikuModel, from_haiku, predict, to_haiku
from bionet.modules.trained import partition_trained, trained_mask
from bionet.training.first_order.gradient import Gradient
from bionet.training.objective import Objective

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (6, 4))
Y = X[:, :2] - X[:, 2:]


def recurrent(xs):
    """A core over time, as in recipes; the batch leads."""
    core = hk.VanillaRNN(5)
    outs, _ = hk.dynamic_unroll(core, xs.swapaxes(0, 1), core.initial_state(len(xs)))
    return hk.Linear(2)(outs[-1])


def normalised(x):
    x = hk.BatchNorm(True, True, decay_rate=0.5)(x, is_training=True)
    return hk.Linear(2)(x)


def dropped(x):
    return hk.Linear(2)(hk.dropout(hk.next_rng_key(), 0.5, x))


PLAIN = hk.transform(lambda x: hk.nets.MLP([8, 2])(x))
STATEFUL = hk.transform_with_state(normalised)


@pytest.fixture(scope="module")
def stateful():
    return from_haiku(STATEFUL, KEY, X)


@pytest.mark.slow
@pytest.mark.parametrize(
    "network", [PLAIN, hk.without_apply_rng(PLAIN)], ids=["with a key", "without"]
)
def test_it_answers_as_the_network_does(network):
    model = from_haiku(network, KEY, X)
    params = network.init(KEY, X)
    expected = PLAIN.apply(params, None, X)
    np.testing.assert_allclose(predict(model, X, KEY), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model(X), expected, rtol=1e-6, atol=1e-6)


def test_its_key_is_the_networks():
    model = from_haiku(hk.transform(dropped), KEY, X)
    one, same, other = (model(X, jax.random.key(i)) for i in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_parameters_learn_and_state_does_not(stateful):
    mask = trained_mask(stateful)
    assert all(jax.tree.leaves(mask.params))
    assert jax.tree.leaves(mask.state)
    assert not any(jax.tree.leaves(mask.state))
    assert partition_trained(stateful)[1].params == jax.tree.map(lambda _: None, mask.params)


@pytest.mark.slow
def test_the_state_changes_only_when_it_is_asked_for(stateful):
    outputs, after = stateful.updated(X + 3)
    np.testing.assert_allclose(outputs, stateful(X + 3), rtol=1e-6)
    assert jax.tree.structure(after) == jax.tree.structure(stateful)
    for model, inputs in ((stateful, X), (after, X + 3)):
        mean = model.state["batch_norm/~/mean_ema"]["average"]
        np.testing.assert_allclose(mean[0], inputs.mean(0), rtol=1e-5)
    same = from_haiku(PLAIN, KEY, X)
    assert same.updated(X)[1] is same


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "x"),
    [(PLAIN, X), (STATEFUL, X), (hk.transform(recurrent), X[:, None].repeat(3, 1))],
    ids=["plain", "with state", "recurrent"],
)
def test_a_method_trains_it(network, x):
    objective = Objective(predict, lambda outputs, y: ((outputs - y) ** 2).mean())
    method = Gradient(objective, optax.adam(0.05))

    @eqx.filter_jit
    def steps(state):
        begun = objective(state.model, (x, Y), KEY)
        arrays, rest = eqx.partition(state, eqx.is_array)

        def one(arrays, _):
            state, _ = method.step(eqx.combine(arrays, rest), (x, Y), KEY)
            return eqx.filter(state, eqx.is_array), None

        state = eqx.combine(jax.lax.scan(one, arrays, length=20)[0], rest)
        return state.model, begun, objective(state.model, (x, Y), KEY)

    begun = method.init(from_haiku(network, KEY, x), KEY)
    model, before, after = steps(begun)
    assert after < 0.7 * before
    assert jax.tree.structure(model) == jax.tree.structure(begun.model)
    for left, right in zip(*map(jax.tree.leaves, (model.state, begun.model.state)), strict=True):
        assert np.array_equal(left, right)


def test_a_population_of_it_is_mapped():
    models = [from_haiku(PLAIN, jax.random.key(i), X) for i in (1, 2)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *models)
    found = jax.vmap(lambda model: model(X))(stacked)
    np.testing.assert_allclose(found, np.stack([m(X) for m in models]), rtol=1e-5, atol=1e-6)


def test_it_goes_back_to_haiku(stateful):
    network, params, state = to_haiku(stateful)
    assert network is STATEFUL
    assert np.array_equal(network.apply(params, state, None, X)[0], stateful(X))
    assert to_haiku(from_haiku(PLAIN, KEY, X)).state is None


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: from_haiku(recurrent, KEY, X), "HaikuModel: network needs to be what hk.transf"),
        (lambda: from_haiku(hk.Linear, KEY, X), "Write hk.transform(f) for a function f that make"),
        (
            lambda: HaikuModel(hk.multi_transform(lambda: (jnp.sin, (jnp.sin,))), {}),
            "HaikuModel: network needs to be what hk.transform or",
        ),
        (lambda: HaikuModel(PLAIN, {}, {}), "a network of hk.transform has no state, got one."),
        (lambda: HaikuModel(STATEFUL, {}), "a network of hk.transform_with_state needs the state"),
        (lambda: to_haiku({"w": X}), "to_haiku: needs a HaikuModel, got dict."),
    ],
)
def test_what_is_no_network_is_told(call, sentence, says):
    with says(TypeError, sentence):
        call()
