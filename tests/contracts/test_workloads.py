"""What holds for the data, the network and the loss of every workload."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet import zoo

# One recipe of each workload; the others have the same data, network and loss.
RECIPES = {zoo.get(id).workload.id: id for id in sorted(zoo.REGISTRY, reverse=True)}


# Those whose networks are made of the parts of others, or take long to compile.
SLOW = {"pendulum-async", "text-gru", "motif-songs", "spoken-words", "prototypes-async", "text-s5"}


@pytest.fixture(
    scope="module",
    params=[pytest.param(id, marks=pytest.mark.slow) if id in SLOW else id for id in RECIPES],
)
def recipe(request):
    return zoo.get(RECIPES[request.param])


@pytest.fixture(scope="module")
def build(recipe):
    """Builds the network from a key, as one program."""
    return eqx.filter_jit(recipe.build)


@pytest.fixture(scope="module")
def built(build):
    """The network of the first key."""
    return build(jax.random.key(0))


@pytest.fixture(scope="module")
def loss(recipe):
    """The recipe's loss, as one program."""
    return eqx.filter_jit(recipe.loss)


def classifies(recipe):
    """Whether its targets are classes, one against all the others."""
    return recipe.metric == "accuracy" and recipe.spec.application in (
        "prototypes",
        "classification",
        "temporal",
    )


def leaves(model):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(eqx.filter(model, eqx.is_array))]


def same(left, right):
    return all(np.array_equal(a, b) for a, b in zip(leaves(left), leaves(right), strict=True))


class TestBuild:
    def test_the_same_key_gives_the_same_network(self, build, built):
        assert same(built, build(jax.random.key(0)))
        assert not same(built, build(jax.random.key(4)))

    def test_a_synthetic_batch_fits_the_network(self, recipe):
        x, y = recipe.synthetic_batch()
        real = recipe.problem(0).test
        for part, like in ((x, real.x), (y, real.y)):
            assert (part.shape, part.dtype) == ((32, *like.shape[1:]), like.dtype)
        assert np.isfinite(x).all()
        if classifies(recipe):
            assert np.isin(y, (-1.0, 1.0)).all()
            assert ((y == 1).sum(-1) == 1).all()
            assert len(np.unique(np.argmax(y, -1))) > 1

    def test_synthetic_batches_belong_to_their_key(self, recipe):
        first, again, other = (
            recipe.synthetic_batch(jax.random.key(seed))[0] for seed in (1, 1, 2)
        )
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_a_batch_of_nothing_is_refused(self, recipe):
        with pytest.raises(ValueError, match="batch_size needs 1 or more, got 0"):
            recipe.synthetic_batch(batch_size=0)


class TestLoss:
    def test_it_is_a_finite_mean_over_the_batch(self, recipe, built, loss):
        x, y = map(np.asarray, recipe.synthetic_batch())
        whole = loss(built, x, y)
        assert whole.shape == ()
        assert np.isfinite(whole)
        turned = loss(built, x[::-1], y[::-1])
        assert float(turned) == pytest.approx(float(whole), rel=1e-5)
        halves = [
            float(loss(built, np.concatenate([x[half]] * 2), np.concatenate([y[half]] * 2)))
            for half in (slice(16), slice(16, 32))
        ]
        assert np.mean(halves) == pytest.approx(float(whole), rel=1e-4)

    def test_wrong_labels_cost_more_than_the_networks_own_answers(self, recipe, built, loss):
        model, (x, y) = built, recipe.synthetic_batch()
        if not classifies(recipe):
            pytest.skip("its targets are no classes")
        answers = eqx.filter_jit(recipe.objective.predict)(model, x, jax.random.key(0))
        own, worst = (
            2 * jax.nn.one_hot(pick(answers, -1), y.shape[-1]) - 1
            for pick in (jnp.argmax, jnp.argmin)
        )
        assert loss(model, x, own) < loss(model, x, worst)
