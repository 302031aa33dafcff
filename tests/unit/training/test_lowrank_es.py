"""Low-rank evolution: its estimate of the gradient, its step, and what it leaves alone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bionet.training.objective import Objective
from bionet.training.zeroth_order.low_rank_noise import NoiseOf, draw
from bionet.training.zeroth_order.lowrank_es import LowRankES

KEY = jax.random.key(0)
K = jax.random.split(KEY, 6)
ROWS = jnp.arange(5)
MODEL = {"W": jax.random.normal(K[0], (6, 5)) * 0.3, "b": jnp.arange(5) / 5}
X = jax.random.normal(K[1], (16, 6))
BATCH = (X, X @ jax.random.normal(K[2], (6, 5)))


def answers(model, x, key):
    return x @ model["W"] + model["b"]


def squares(outputs, y):
    return jnp.mean((outputs - y) ** 2)


OBJECTIVE = Objective(answers, squares)


@eqx.filter_jit
def estimate(method, model=MODEL, batch=BATCH, key=KEY):
    return method.gradient(model, batch, key)


def flat(tree):
    return np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(tree)])


def cosine(left, right):
    return left @ right / np.linalg.norm(left) / np.linalg.norm(right)


# Rank 3 of (6, 5) would take as many numbers as the matrix has, so all noise is full.
@pytest.fixture(scope="module")
def against_the_gradient():
    """For each kind of noise: cosine with the true gradient, and the length along it."""
    true = flat(jax.grad(lambda model: OBJECTIVE(model, BATCH, KEY))(MODEL))

    def told(**options):
        method = LowRankES(OBJECTIVE, population=8192, sigma=0.05, shaping="raw", **options)
        found = flat(estimate(method)[0])
        return {"cosine": cosine(found, true), "length": found @ true / (true @ true)}

    return {
        "rank 1": told(),
        "full": told(rank=3),
        "rank 2, without pairs": told(rank=2, antithetic=False, chunk=2048),
    }


class TestEstimate:
    @pytest.mark.slow
    @pytest.mark.parametrize("noise", ["rank 1", "full", "rank 2, without pairs"])
    def test_it_points_along_the_gradient_of_a_quadratic(self, against_the_gradient, noise):
        assert against_the_gradient[noise]["cosine"] > 0.98

    @pytest.mark.slow
    @pytest.mark.parametrize("noise", ["rank 1", "full", "rank 2, without pairs"])
    def test_it_has_the_length_of_the_gradient(self, against_the_gradient, noise):
        np.testing.assert_allclose(against_the_gradient[noise]["length"], 1.0, atol=0.06)

    def test_a_low_rank_costs_little_accuracy(self, against_the_gradient):
        low, full = (1 - against_the_gradient[noise]["cosine"] for noise in ("rank 1", "full"))
        assert low < 3 * full

    @pytest.mark.slow
    def test_a_linear_loss_has_its_gradient_on_average(self):
        """Each entry is within five standard errors, whatever sigma is."""
        G = np.random.default_rng(0).normal(size=(6, 5))
        objective = Objective(lambda m, x, key: m["W"] * x, lambda outputs, y: outputs.sum())
        method = LowRankES(objective, population=4096, sigma=2.0, shaping="raw", rank=2)
        batch = (jnp.asarray(G, jnp.float32), jnp.zeros(()))
        found = estimate(method, {"W": MODEL["W"]}, batch)[0]["W"]
        spread = np.sqrt((np.sum(G**2) + 3 * G**2) / 2048)
        assert (np.abs(found - G) < 5 * spread).all()
        assert np.abs(found - G).max() > 1e-3

    def test_other_steps_have_other_noise(self):
        method = LowRankES(OBJECTIVE, population=6, shaping="raw")
        first, second, again = (flat(estimate(method, key=key)[0]) for key in (K[0], K[1], K[0]))
        assert not np.allclose(first, second)
        assert np.array_equal(first, again)


def by_hand(rank, shaping, antithetic, members, sigma):
    """The estimate in plain double precision, from the same Gaussian numbers."""
    noise_key, _ = jax.random.split(KEY)
    W, b = (np.asarray(MODEL[name], np.float64) for name in "Wb")
    x, y = (np.asarray(part, np.float64) for part in BATCH)
    signs = [1, -1] if antithetic else [1]
    changes, losses = [], []
    for row in range(members // len(signs)):
        numbers = 11 * rank + 5
        drawn = np.asarray(jax.random.normal(jax.random.fold_in(noise_key, row), (numbers,)))
        left, right, bias = np.split(drawn.astype(np.float64), [6 * rank, 11 * rank])
        change = left.reshape(6, rank) @ right.reshape(5, rank).T / np.sqrt(rank)
        for sign in signs:
            outputs = x @ (W + sign * sigma * change) + b + sign * sigma * bias
            losses.append(np.mean((outputs - y) ** 2))
            changes.append((sign * change, sign * bias))
    losses = np.array(losses)
    centred = losses - losses.mean()
    scores = {
        "raw": losses if antithetic else centred * members / (members - 1),
        "z-score": centred / losses.std(),
        "centered-rank": losses.argsort().argsort() / (members - 1) - 0.5,
    }[shaping]
    return {
        name: sum(s * c[i] for s, c in zip(scores, changes, strict=True)) / (members * sigma)
        for i, name in enumerate("Wb")
    }, losses


@pytest.mark.parametrize(
    ("rank", "shaping", "antithetic"),
    [(1, "raw", True), (2, "raw", False), (1, "z-score", False), (1, "centered-rank", True)],
)
def test_the_estimate_is_the_one_by_hand(rank, shaping, antithetic):
    method = LowRankES(
        OBJECTIVE, rank=rank, population=6, sigma=0.2, shaping=shaping, antithetic=antithetic
    )
    found, losses = estimate(method)
    expected, by_numpy = by_hand(rank, shaping, antithetic, 6, 0.2)
    np.testing.assert_allclose(losses.ravel(), by_numpy, rtol=1e-5)
    for name in "Wb":
        np.testing.assert_allclose(found[name], expected[name], rtol=2e-3, atol=2e-4)


class TestNoise:
    def test_factors_are_drawn_where_they_are_fewer_numbers(self):
        shapes = [(9, 8), (3, 3, 4, 8), (2, 2), (5,), ()]
        kinds = [NoiseOf(jnp.zeros(shape), 2) for shape in shapes]
        assert [kind.numbers for kind in kinds] == [2 * 17, 2 * 41, 4, 5, 1]
        assert kinds[1].sides == (9, 32)

    @pytest.mark.slow
    @pytest.mark.parametrize("shape", [(9, 8), (3, 3, 4, 8)])
    def test_each_entry_has_the_variance_one(self, shape):
        kind = NoiseOf(jnp.zeros(shape), 2)
        (noise,) = draw([kind], KEY, jnp.arange(2000), jnp.float32)

        def formed(noise):
            made = kind.add(jnp.zeros(shape), noise, jnp.asarray(1.0))
            return made if eqx.is_array(made) else made.formed()

        members = jax.vmap(formed)(noise)
        assert members.shape == (2000, *shape)
        np.testing.assert_allclose(np.mean(members**2, axis=0), 1.0, atol=0.35)
        np.testing.assert_allclose(np.mean(members**2), 1.0, atol=0.03)
        weights = jnp.asarray(np.random.default_rng(0).normal(size=2000), jnp.float32)
        by_hand = np.tensordot(weights, members, 1)
        np.testing.assert_allclose(kind.total(noise, weights), by_hand, rtol=1e-3, atol=1e-3)

    @pytest.mark.slow
    def test_a_row_has_the_same_noise_in_any_company(self):
        kinds = [NoiseOf(jnp.zeros((9, 8)), 1), NoiseOf(jnp.zeros(3), 1)]
        (many, some), (few, one) = (
            draw(kinds, KEY, rows, jnp.float32) for rows in (ROWS, ROWS[2:3])
        )
        assert [part.shape for part in many] == [(5, 9, 1), (5, 8, 1)]
        for left, right in zip((*many, some), (*few, one), strict=True):
            assert np.array_equal(left[2:3], right)


class TestStep:
    def test_following_it_lowers_the_loss(self):
        method = LowRankES(OBJECTIVE, population=64, sigma=0.05, optimizer=optax.adam(0.1))
        losses = run(method, MODEL, steps=40)[1]
        assert losses[-1] < 0.2 * losses[0]

    def test_one_step_goes_against_the_estimate(self):
        method = LowRankES(OBJECTIVE, population=4, optimizer=optax.sgd(0.5))

        @jax.jit
        def both():
            start = method.init(MODEL, KEY)
            return method.step(start, BATCH, KEY), method.gradient(MODEL, BATCH, KEY)

        (after, told), (gradient, losses) = both()
        np.testing.assert_allclose(after.model["W"], MODEL["W"] - 0.5 * gradient["W"], rtol=1e-5)
        np.testing.assert_allclose(told["training_loss"], losses.mean(), rtol=1e-6)
        assert (int(told["evaluations"]), int(after.step)) == (4, 1)

    def test_held_entries_are_neither_perturbed_nor_moved(self):
        mask = ~np.eye(7, dtype=bool)
        noise = NoiseOf(jnp.zeros((7, 7)), 1, jnp.asarray(mask))
        ones = jnp.ones((7, 1)), jnp.ones((7, 1))
        assert np.array_equal(noise.add(jnp.zeros((7, 7)), ones, jnp.asarray(2.0)), 2.0 * mask)
        assert np.array_equal(noise.learned(jnp.ones((7, 7)), jnp.float32), mask)

    def test_a_member_without_a_loss_spoils_nothing(self):
        """Of numbers above zero no logarithm is taken, and so one of each pair has no loss."""
        logarithm = Objective(lambda m, x, key: jnp.log(-m["b"]), lambda outputs, y: -outputs.sum())
        gradient, losses = estimate(LowRankES(logarithm, population=16), {"b": jnp.zeros(1)})
        assert np.isnan(losses).sum(axis=1).tolist() == [1] * 8
        assert np.isfinite(gradient["b"]).all()
        assert gradient["b"][0] > 0

    @pytest.mark.parametrize("shaping", ["z-score", "centered-rank", "raw"])
    def test_members_of_one_loss_count_nothing(self, shaping):
        method = LowRankES(OBJECTIVE, population=8, shaping=shaping)
        assert not method._shape(jnp.full((4, 2), 3.0)).any()

    def test_leaves_keep_their_dtypes(self):
        model = {
            "W": MODEL["W"].astype(jnp.bfloat16),
            "b": MODEL["b"],
            "k": jnp.zeros((3, 3, 4, 8)),
        }
        method = LowRankES(OBJECTIVE, population=4)
        start = method.init(model, KEY)
        after, _ = eqx.filter_eval_shape(method.step, start, BATCH, KEY)
        for name, leaf in model.items():
            assert (after.model[name].shape, after.model[name].dtype) == (leaf.shape, leaf.dtype)

    def test_no_member_has_weights_of_its_own(self):
        """The only arrays with an axis of the members and both of a matrix would be theirs."""
        method = LowRankES(OBJECTIVE, population=46)
        program = eqx.filter_make_jaxpr(method.step)(method.init(MODEL, KEY), BATCH, KEY)[0]
        text = str(program)
        assert "f32[23,6,1]" in text
        assert not any(f"f32[{shape}]" in text for shape in ("23,6,5", "23,2,6,5", "2,23,6,5"))


def run(method, model, steps):
    """The model after some steps on one batch, and the mean loss of the members in each."""
    arrays, static = eqx.partition(method.init(model, KEY), eqx.is_array)

    @eqx.filter_jit
    def steps_of(arrays, keys):
        def step(carry, key):
            state, told = method.step(eqx.combine(carry, static), BATCH, key)
            return eqx.filter(state, eqx.is_array), told["training_loss"]

        return jax.lax.scan(step, arrays, keys)

    arrays, losses = steps_of(arrays, jax.random.split(KEY, steps))
    return eqx.combine(arrays, static).model, losses


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sigma": 0.0}, "LowRankES: sigma needs to be above 0 and finite, got 0.0."),
        ({"sigma": float("nan")}, "LowRankES: sigma needs to be above 0 and finite, got nan."),
        ({"population": 7}, "LowRankES: antithetic members come in pairs, so population needs an"),
        ({"population": 1, "antithetic": False}, "LowRankES: population needs 2 or more, got 1."),
        ({"rank": 0}, "LowRankES: rank needs a positive int, got 0."),
        (
            {"shaping": "z_score"},
            "LowRankES: No shaping is named 'z_score'. Did you mean 'z-score'",
        ),
    ],
)
def test_what_it_can_not_be_made_with(options, sentence, says):
    with says(ValueError, sentence):
        LowRankES(OBJECTIVE, **options)


def test_a_loss_per_example_is_refused(says):
    method = LowRankES(Objective(answers, lambda outputs, y: outputs.sum(-1)), population=2)
    with says(ValueError, "Objective: the loss needs to be one number per batch, got shape (16,)."):
        eqx.filter_eval_shape(method.step, method.init(MODEL, KEY), BATCH, KEY)


@pytest.mark.slow
def test_complex_leaves_are_refused(says):
    with says(ValueError, "The method 'lowrank-es' needs trained leaves of real numbers"):
        LowRankES(OBJECTIVE).init({"poles": jnp.ones(3) * 1j}, KEY)
