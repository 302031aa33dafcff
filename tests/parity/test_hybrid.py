"""The hybrid estimators against plain NumPy in double precision, and by hand in two dimensions.

The reference knows arrays and loops over pairs. It is given the directions that the library
draws, and nothing else of it. The loss is no quadratic, so that all terms of a difference count,
and it may lack a value beyond an edge, so that some pairs are left out.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.experimental.hybrid import es_gradient, hybrid_gradient, sges_gradient
from bionet.experimental.hybrid.estimate import pairs
from bionet.experimental.hybrid.estimate.noise import gaussian_rows
from bionet.modules.recurrent import RecurrentDiscrete

UNITS, SIGMA, K = 4, 0.3, 7
SIZE = UNITS + UNITS**2
RNG = np.random.default_rng(0)
THETA, B = RNG.normal(size=(2, SIZE))
X, Y = RNG.normal(size=(2, 9, UNITS))
# The fixed diagonal of the couplings, which come after the bias, is neither perturbed nor moved.
LEARNS = np.concatenate([np.ones(UNITS), 1 - np.eye(UNITS).ravel()])
KEY = jax.random.key(5)
EXACT = {"rtol": 1e-9, "atol": 1e-11}


# The reference.


def height(theta, edge):
    """The loss of a layer of tanh."""
    bias, couplings = theta[:UNITS], theta[UNITS:].reshape(UNITS, UNITS)
    if bias[0] > edge:
        return np.nan
    return ((np.tanh(X @ couplings + bias) - Y) ** 2).mean() + 0.1 * (couplings**4).sum()


def slope_along(direction, edge):
    up, down = (height(THETA + sign * SIGMA * direction, edge) for sign in (1, -1))
    return (up - down) / (2 * SIGMA)


def mean_of(directions, edge):
    """The mean of slope times direction over all pairs that have a slope."""
    terms = [slope_along(direction, edge) * direction for direction in directions]
    known = [term for term in terms if np.isfinite(term).all()]
    return sum(known) / len(known) if known else np.zeros(SIZE)


def across(vector, b):
    return vector - (vector @ b) / (b @ b) * b


def with_correction(b, estimate, halves, lam, normalize, snr):
    g_orth = across(estimate, b)
    lam_eff = lam
    if snr:
        agreement = across(halves[0], b) @ across(halves[1], b)
        lam_eff *= min(max(agreement / (g_orth @ g_orth), 0.0), 1.0)
    if normalize:
        lam_eff *= np.linalg.norm(b) / np.linalg.norm(g_orth)
    return b + lam_eff * g_orth, lam_eff


def by_hybrid(drawn, edge, **options):
    halves = [mean_of(drawn[start::2], edge) for start in (0, 1)]
    return with_correction(LEARNS * B, mean_of(drawn, edge), halves, **options)


def by_guide(drawn, edge, **options):
    guide = LEARNS * B / np.linalg.norm(LEARNS * B)
    rest = [direction - (direction @ guide) * guide for direction in drawn]
    halves = [mean_of(rest[start::2], edge) for start in (2, 1)]
    along = slope_along(guide, edge) * guide
    return with_correction(along, mean_of(rest[1:], edge), halves, **options)


# The library.


@pytest.fixture
def model():
    with jax.enable_x64(True):
        hollow = eqx.filter_eval_shape(
            lambda: RecurrentDiscrete(UNITS, 0.0, 1.0, KEY, dtype="float64")
        )
        values = [jnp.asarray(THETA[UNITS:].reshape(UNITS, UNITS)), jnp.ones(())]
        layer = eqx.tree_at(lambda m: (m.J, m.threshold), hollow, values)
        yield {"bias": jnp.asarray(THETA[:UNITS]), "layer": layer}


def loss(model, edge):
    bias, J = model["bias"], model["layer"].J
    value = jnp.mean((jnp.tanh(jnp.asarray(X) @ J + bias) - Y) ** 2) + 0.1 * jnp.sum(J**4)
    return jnp.where(bias[0] > edge, jnp.nan, value)


def cheap(model, edge):
    parts = jnp.asarray(B[:UNITS]), jnp.asarray(B[UNITS:].reshape(UNITS, UNITS))
    return eqx.tree_at(lambda m: (m["bias"], m["layer"].J), model, parts)


def vector(gradient):
    assert gradient["layer"].J.dtype == jnp.float64
    return np.concatenate([gradient["bias"], gradient["layer"].J.ravel()])


def drawn_by(key):
    """The directions of all pairs."""
    rows = jax.jit(gaussian_rows, static_argnums=(2, 3))(key, jnp.arange(K), SIZE, "float64")
    return np.asarray(rows) * LEARNS


# Both of one type: a float of Python would be another program.
EDGES = {"all": np.float64(np.inf), "some fail": THETA[0] + 0.3}


@pytest.mark.parametrize(
    ("normalize", "snr"), [(False, False), (True, True)], ids=["raw", "normalised, snr"]
)
@pytest.mark.parametrize(
    ("gradient", "reference"), [(hybrid_gradient, by_hybrid), (sges_gradient, by_guide)]
)
def test_a_corrected_gradient(model, gradient, reference, normalize, snr):
    options = {"lam": 0.7, "normalize": normalize, "snr": snr}
    drawn = drawn_by(jax.random.split(KEY, 3)[0])
    for edge in EDGES.values():
        found, told = gradient(
            *(model, cheap, loss, KEY),
            batch=(jnp.asarray(edge),),
            num_samples=K,
            sigma=SIGMA,
            return_diagnostics=True,
            **options,
        )
        g, lam_eff = reference(drawn, edge, **options)
        np.testing.assert_allclose(vector(found), g, **EXACT)
        np.testing.assert_allclose(told["lam_eff"], lam_eff, **EXACT)
        assert (told["failed"] > 0) == (edge < np.inf)
        assert lam_eff != 0, "the correction is there to be compared"


def test_the_plain_gradient(model):
    drawn = drawn_by(jax.random.split(KEY)[0])
    for edge in EDGES.values():
        batch = (jnp.asarray(edge),)
        found = es_gradient(model, loss, KEY, batch=batch, num_samples=K, sigma=SIGMA)
        np.testing.assert_allclose(vector(found), mean_of(drawn, edge), **EXACT)


class TestByHand:
    """`x³ + y²` at (1, 2), with steps of 1 along (1, 1) and (2, 0), and b = (3, 4).

    The losses are 17 and 1 at (2, 3) and (0, 1), and 31 and 3 at (3, 2) and (-1, 2). So the
    slopes are 8 and 14, and the estimate is (8 (1, 1) + 14 (2, 0)) / 2 = (18, 4). Its part along b
    is 70 / 25 b = (8.4, 11.2), and what is left is (9.6, -7.2), of length 12.
    """

    @pytest.fixture
    def by(self, monkeypatch):
        """`by(gradient, **options)` with the two directions above."""

        def drawn(key, rows, size, dtype):
            return jnp.asarray([[1.0, 1.0], [2.0, 0.0]], dtype)[rows]

        monkeypatch.setattr(pairs, "gaussian_rows", drawn)

        def run(gradient, **options):
            # Functions of their own, so that nothing compiled with other directions is found.
            of_xy = lambda theta: theta[0] ** 3 + theta[1] ** 2  # noqa: E731
            b = () if gradient is es_gradient else (lambda theta: jnp.asarray([3.0, 4.0]),)
            start = jnp.asarray([1.0, 2.0])
            return gradient(start, *b, of_xy, KEY, num_samples=2, sigma=1.0, **options)

        with jax.enable_x64(True):
            yield run

    def test_plain(self, by):
        np.testing.assert_allclose(by(es_gradient), [18, 4], **EXACT)

    def test_raw(self, by):
        g, told = by(hybrid_gradient, lam=0.5, normalize=False, return_diagnostics=True)
        np.testing.assert_allclose(g, [3 + 0.5 * 9.6, 4 - 0.5 * 7.2], **EXACT)
        np.testing.assert_allclose(told["g_es"], [18, 4], **EXACT)
        np.testing.assert_allclose(told["g_orth"], [9.6, -7.2], **EXACT)
        expected = {"g_b_norm": 5, "g_orth_norm": 12, "lam_eff": 0.5, "training_loss": 13}
        expected |= {"correction_fraction": 1.2, "num_evaluations": 4, "failed": 0}
        for name, value in expected.items():
            np.testing.assert_allclose(told[name], value, **EXACT)
        np.testing.assert_allclose(told["proj"], 14, rtol=1e-8)  # but for eps
        np.testing.assert_allclose(told["cosine"], 70 / (5 * np.sqrt(340)), **EXACT)

    def test_normalised(self, by):
        """A fifth of the length of b, which is 1, along (0.8, -0.6)."""
        np.testing.assert_allclose(by(hybrid_gradient, lam=0.2), [3.8, 3.4], **EXACT)

    def test_share_of_signal(self, by):
        """One pair finds (1.28, -0.96) across b, the other (17.92, -13.44): 35.84 of 144."""
        g = by(hybrid_gradient, lam=1.0, normalize=False, snr=True)
        share = 35.84 / 144
        np.testing.assert_allclose(g, [3 + share * 9.6, 4 - share * 7.2], **EXACT)

    def test_guided(self, by):
        """The first pair steps along (0.6, 0.8), the other along (1.28, -0.96), across b.

        The slopes are 3 · 0.6 + 4 · 0.8 + 0.6³ = 5.216 and 0 + 1.28³ = 2.097152.
        """
        wanted = [5.216 * 0.6 + 2.097152 * 1.28, 5.216 * 0.8 - 2.097152 * 0.96]
        np.testing.assert_allclose(by(sges_gradient), wanted, **EXACT)
