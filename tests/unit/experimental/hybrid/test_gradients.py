"""The functions as a user calls them: what is returned, counted, compiled and refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.experimental.hybrid import (
    es_gradient,
    hybrid_diagnostics,
    hybrid_gradient,
    local_direction,
    sges_gradient,
    surrogate_direction,
)
from bionet.modules.trained import trained_mask
from bionet.training.local.readout import FreeReadout, ReadoutHinge
from bionet.training.local.two_phase import TwoPhase
from bionet.training.run.devices import batch_mesh

KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def told(bowl, height, along):
    return hybrid_gradient(
        bowl.model, along, height, KEY, batch=bowl.batch, lam=0.3, return_diagnostics=True
    )


class TestDiagnostics:
    @pytest.mark.slow
    def test_they_are_those_of_the_gradient(self, bowl, height, along, told, same_bits):
        g, found = told
        alone = hybrid_diagnostics(bowl.model, along, height, KEY, batch=bowl.batch, lam=0.3)
        same_bits(alone, found)
        np.testing.assert_allclose(g, found["g_b"] + found["lam_eff"] * found["g_orth"], rtol=1e-6)

    def test_they_fit_together(self, bowl, told):
        g, found = told
        b, g_es, g_orth = (np.asarray(found[name], float) for name in ("g_b", "g_es", "g_orth"))
        length = np.linalg.norm
        np.testing.assert_allclose(b, bowl.bulk, rtol=1e-6)
        assert found["g_b_norm"] == pytest.approx(length(b), rel=1e-5)
        assert found["g_es_norm"] == pytest.approx(length(g_es), rel=1e-5)
        assert found["g_orth_norm"] == pytest.approx(length(g_orth), rel=1e-5)
        assert found["proj"] == pytest.approx(g_es @ b / length(b), rel=1e-4)
        assert found["cosine"] == pytest.approx(g_es @ b / length(b) / length(g_es), rel=1e-4)
        assert found["lam_eff"] == pytest.approx(0.3 * length(b) / length(g_orth), rel=1e-4)
        assert found["correction_fraction"] == pytest.approx(0.3, rel=1e-5)
        assert abs(g_orth @ b) < 1e-5 * length(g_orth) * length(b)
        assert length(np.asarray(g, float) - b) == pytest.approx(0.3 * length(b), rel=1e-5)
        assert int(found["num_evaluations"]) == 16
        assert int(found["failed"]) == 0

    def test_the_loss_is_the_mean_of_what_was_evaluated(self, bowl, height, told):
        here = height(bowl.model, *bowl.batch)  # near enough at a sigma of 0.01
        assert told[1]["training_loss"] == pytest.approx(float(here), rel=1e-2)


def test_lam_zero_is_the_direction(bowl, height, along):
    g = hybrid_gradient(bowl.model, along, height, KEY, batch=bowl.batch, lam=0.0)
    assert np.asarray(g).tobytes() == np.asarray(bowl.batch[2]).tobytes()


@pytest.mark.slow
def test_chunks_and_devices_change_nothing_but_the_order_of_a_sum(bowl, height, along, told):
    one = {"chunk": 4, "mesh": batch_mesh(jax.devices()[:1])}
    g = hybrid_gradient(bowl.model, along, height, KEY, batch=bowl.batch, lam=0.3, **one)
    np.testing.assert_allclose(g, told[0], rtol=1e-4, atol=1e-4)


def test_numbers_change_without_being_compiled_again(bowl, along):
    traces = []

    def loss(theta, curves, centre, bulk):
        traces.append(theta)
        return (theta**2).sum()

    for sigma, lam, eps in ((0.1, 0.2, 1e-8), (0.5, 1, 1e-6), (jnp.asarray(1.0), 0.0, 0.0)):
        hybrid_gradient(
            bowl.model, along, loss, KEY, batch=bowl.batch, sigma=sigma, lam=lam, eps=eps
        )
        if not traces[1:]:
            first = len(traces)
    assert len(traces) == first


@pytest.mark.slow
def test_a_sigma_that_is_traced_is_looked_at_when_it_is_known(bowl, height, says):
    @eqx.filter_jit
    def run(sigma):
        return es_gradient(bowl.model, height, KEY, batch=bowl.batch, num_samples=2, sigma=sigma)

    assert np.isfinite(run(jnp.asarray(0.5))).all()
    with says(RuntimeError, "es_gradient: sigma needs to be above 0 and finite."):
        run(jnp.asarray(0.0))


class TestAnyModel:
    @pytest.mark.slow
    def test_leaves_of_all_kinds(self, says):
        """A perceptron with a function, an int and a narrow leaf in it, by both kinds of call."""
        mlp = eqx.nn.MLP(2, 1, width_size=3, depth=1, key=KEY)
        narrow = lambda m: m.layers[0].bias  # noqa: E731
        mlp = eqx.tree_at(narrow, mlp, narrow(mlp).astype(jnp.bfloat16))
        model = {"mlp": mlp, "count": jnp.arange(3), "name": "a word", "none": None}
        seen = []

        def loss(model, x, *, key):
            seen.append(key)
            return jnp.mean(jax.vmap(model["mlp"])(x) ** 2)

        x = jnp.ones((4, 2))
        found = hybrid_gradient(
            model, surrogate_direction(loss), loss, KEY, batch=(x,), lam=0.0, num_samples=1
        )
        assert len(seen) >= 2
        wanted = eqx.filter_jit(eqx.filter_grad(lambda model: loss(model, x, key=KEY)))(model)
        assert jax.tree.structure(found) == jax.tree.structure(wanted)
        for left, right in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
            assert left.dtype == right.dtype
            np.testing.assert_allclose(left, right, rtol=1e-4)

    @pytest.mark.slow
    def test_a_network_with_local_rules(self, one_hidden, same_bits):
        """Only what learns is perturbed and moved, entry by entry."""
        network, batch = one_hidden.orchestrator, (one_hidden.x, one_hidden.y)
        predict, hinge = FreeReadout(one_hidden.state, 2), ReadoutHinge(5.0)
        masks = jax.tree.leaves(trained_mask(network))

        def loss(model, x, y, key):
            # Whoever moves what does not learn, a diagonal say, is found out by the loss.
            pairs = zip(masks, *map(jax.tree.leaves, (model, network)), strict=True)
            moved = sum(jnp.where(mask, 0.0, jnp.abs(a - b)).sum() for mask, a, b in pairs)
            return hinge(predict(model, x, key), y) + 1e6 * moved

        bulk = local_direction(TwoPhase(one_hidden.state, clamped=2, free=2))
        found = []
        for lam in (0.0, 0.5):
            g, told = hybrid_gradient(
                *(network, bulk, loss, KEY),
                batch=batch,
                lam=lam,
                sigma=0.3,
                return_diagnostics=True,
            )
            assert float(told["training_loss"]) < 10
            found.append(g)
        same_bits(found[0], eqx.filter_jit(bulk)(network, *batch, key=KEY))
        parts = zip(masks, *map(jax.tree.leaves, found), strict=True)
        changed = 0
        for mask, before, after in parts:
            fixed = ~np.broadcast_to(np.asarray(mask), before.shape)
            assert not np.asarray(after)[fixed].any()
            changed += not np.array_equal(after, before)
        assert changed == 3


@pytest.fixture(scope="module")
def beside():
    """Diagnostics of a loss that has no value where the first number is above an edge."""

    def loss(theta, edge):
        return jnp.where(theta[0] > edge, jnp.nan, theta @ jnp.arange(1.0, 5.0))

    def bulk(theta, edge):
        return jnp.ones(4)

    return lambda edge: hybrid_diagnostics(
        jnp.zeros(4), bulk, loss, KEY, batch=(jnp.asarray(edge),), sigma=1.0, num_samples=4000
    )


def test_a_pair_that_failed_is_left_out_and_counted(beside):
    found = beside(0.5)
    assert int(found["failed"]) == pytest.approx(0.3085 * 8000, rel=0.1)  # P(x > 0.5)
    np.testing.assert_allclose(found["g_es"][1:], np.arange(2, 5), atol=0.5)
    assert np.isfinite(float(found["training_loss"]))


def test_if_all_failed_it_is_an_error(beside, says):
    sentence = (
        "hybrid_gradient: all 8000 evaluations of the loss were NaN or infinite. Look at the "
        "loss of the model itself, or lower sigma."
    )
    with says(RuntimeError, sentence):
        beside(-9.0)


class TestBadInput:
    def refused(self, kind, sentence, says, model=None, bulk=None, loss=None, **options):
        theta = jnp.ones(3) if model is None else model
        with says(kind, sentence):
            hybrid_gradient(
                theta, bulk or (lambda t: t), loss or (lambda t: t.sum()), KEY, **options
            )

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"num_samples": 0}, "hybrid_gradient: num_samples needs a positive int, got 0."),
            ({"num_samples": 2.0}, "hybrid_gradient: num_samples needs a positive int, got 2.0."),
            ({"sigma": 0.0}, "hybrid_gradient: sigma needs to be above 0 and finite, got 0.0."),
            ({"sigma": np.nan}, "hybrid_gradient: sigma needs to be above 0 and finite, got nan."),
            ({"lam": -1.0}, "hybrid_gradient: lam needs to be 0 or more and finite, got -1.0."),
            ({"chunk": 3}, "hybrid_gradient: chunk needs an even number that divides the 16"),
            (
                {"num_samples": 1, "snr": True},
                "hybrid_gradient: snr compares two halves of the random pairs, and needs two of "
                "them at least, got 1; raise num_samples.",
            ),
        ],
    )
    def test_numbers(self, options, sentence, says):
        self.refused(ValueError, sentence, says, **options)

    def test_snr_of_the_guided_estimate_needs_one_more(self, says):
        with says(ValueError, "sges_gradient: snr compares two halves of the random pairs"):
            sges_gradient(jnp.ones(3), lambda t: t, lambda t: t.sum(), KEY, num_samples=2, snr=True)

    def test_losses(self, says):
        several = (
            "hybrid_gradient: the loss needs to return one number, got shape (3,). Take the mean "
            "over the examples."
        )
        self.refused(ValueError, several, says, loss=lambda t: t)
        pair = "hybrid_gradient: the loss needs to return one real number, got tuple."
        self.refused(TypeError, pair, says, loss=lambda t: (t.sum(), t))
        self.refused(TypeError, "one real number", says, loss=lambda t: t.sum() * 1j)
        with says(ValueError, "surrogate_direction: the loss needs to return one number"):
            surrogate_direction(lambda t: t)(jnp.ones(3), key=KEY)

    def test_directions(self, says):
        other = (
            "hybrid_gradient: bulk needs to return a pseudo-gradient with the model's structure, a "
            "dict of 2 leaves, got a tuple of 2 leaves."
        )
        model = {"a": jnp.ones(2), "b": jnp.ones(3)}
        loss = lambda m: m["a"].sum()  # noqa: E731
        turned = lambda m: (m["a"], m["b"])  # noqa: E731
        self.refused(ValueError, other, says, model, turned, loss)
        shape = "hybrid_gradient: bulk returned a leaf of shape (3,) for one of shape (2,)"
        swapped = lambda m: {"a": m["b"], "b": m["a"]}  # noqa: E731
        self.refused(ValueError, shape, says, model, swapped, loss)

    def test_models(self, says):
        nothing = "hybrid_gradient: needs a model with trained leaves, got a model of type dict"
        self.refused(ValueError, nothing, says, {"a": 1})
        complex_one = "hybrid_gradient: needs trained leaves of real numbers, got complex ones"
        self.refused(TypeError, complex_one, says, jnp.ones(3) * 1j)

    def test_local_direction_of_another_method(self, says):
        sentence = (
            "local_direction: needs a method with local rules, such as TwoPhase, got str. Where "
            "there is a gradient, take surrogate_direction."
        )
        with says(TypeError, sentence):
            local_direction("two-phase")
