"""The estimators on a quadratic, whose gradient is known: means, lengths, angles, slopes.

With K pairs in d dimensions the plain estimate has the gradient for its mean, `1 + (d + 1) / K`
times its squared length on average, and a cosine with it of about `sqrt(K / (K + d + 1))`.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.experimental.hybrid.estimate.correction import Correction
from bionet.experimental.hybrid.estimate.estimators import es, hybrid, self_guided
from bionet.experimental.hybrid.estimate.pairs import Pairs

SIGMAS = (0.01, 0.1, 1.0)


def cosines(rows, vector):
    return rows @ vector / np.linalg.norm(rows, axis=-1) / np.linalg.norm(vector)


def squares(rows):
    return (rows**2).sum(-1)


@pytest.fixture(scope="module")
def drawn(bowl, height, keys):
    """`drawn(estimator, K, **options)(sigmas, bulk)`: estimates by sigma and key.

    The estimators themselves, without the checks, so that what is compiled can be kept.
    """

    def make(estimator, num_samples, **options):
        correction = Correction("test", **{"lam": 1.0, "normalize": False} | options)
        pairs = Pairs("test", num_samples, 1.0, check=False)

        def one(key, sigma, batch):
            wide = eqx.tree_at(lambda pairs: pairs.sigma, pairs, sigma)
            loss = lambda theta: height(theta, *batch)  # noqa: E731
            if estimator is es:
                return es(wide, bowl.model, loss, key)[0]
            return estimator(wide, correction, bowl.model, batch[2], loss, key)[0]

        by_key = jax.vmap(one, in_axes=(0, None, None))
        run = eqx.filter_jit(jax.vmap(by_key, in_axes=(None, 0, None)))

        def draw(sigmas=SIGMAS, bulk=bowl.bulk):
            batch = (*bowl.batch[:2], jnp.asarray(bulk, jnp.float32))
            return np.asarray(run(keys, jnp.asarray(sigmas), batch), float)

        return draw

    return make


@pytest.mark.slow
@pytest.mark.parametrize("num_samples", [3, 48])
def test_the_plain_estimate_keeps_its_law_whatever_sigma_is(bowl, drawn, num_samples):
    d, gradient = len(bowl.theta), bowl.gradient
    excess = 1 + (d + 1) / num_samples
    for rows in drawn(es, num_samples)():
        error = 4 * np.sqrt((excess - 1) * squares(gradient) / len(rows))
        assert np.linalg.norm(rows.mean(0) - gradient) < error
        assert squares(rows).mean() == pytest.approx(excess * squares(gradient), rel=0.15)
        law = np.sqrt(num_samples / (num_samples + d + 1))
        assert cosines(rows, gradient).mean() == pytest.approx(law, rel=0.1)


@pytest.fixture(scope="module")
def guided(drawn):
    """Twelve pairs beside the guide's."""
    return drawn(self_guided, 13)


class TestGuided:
    @pytest.mark.slow
    def test_it_is_exact_along_the_guide_and_keeps_the_law_across(self, bowl, guided):
        """The law is that of K - 1 pairs in d - 1 dimensions."""
        gradient, unit = bowl.gradient, bowl.bulk / np.linalg.norm(bowl.bulk)
        rest = gradient - gradient @ unit * unit
        excess = 1 + len(gradient) / 12
        for rows in guided():
            np.testing.assert_allclose(rows @ unit, gradient @ unit, rtol=1e-2)
            across = rows - (rows @ unit)[:, None] * unit
            error = 4 * np.sqrt((excess - 1) * squares(rest) / len(rows))
            assert np.linalg.norm(across.mean(0) - rest) < error
            assert squares(across).mean() == pytest.approx(excess * squares(rest), rel=0.15)
            law = np.sqrt(1 / excess)
            assert cosines(across, rest).mean() == pytest.approx(law, rel=0.1)

    def test_sign_and_length_of_the_guide_do_not_matter(self, bowl, guided):
        here, there = (guided((0.1, 0.1, 0.1), bulk)[0] for bulk in (bowl.bulk, -99 * bowl.bulk))
        np.testing.assert_allclose(here, there, rtol=1e-2, atol=1e-2)

    def test_a_zero_guide_leaves_plain_pairs(self, bowl, guided):
        rows = guided(bulk=0.0 * bowl.bulk)[1]
        excess = 1 + (len(bowl.theta) + 1) / 12
        assert squares(rows).mean() == pytest.approx(excess * squares(bowl.gradient), rel=0.15)

    def test_one_pair_alone_is_the_slope(self, bowl, drawn):
        unit = bowl.bulk / np.linalg.norm(bowl.bulk)
        rows = drawn(self_guided, 1)((0.1,))[0]
        wanted = np.broadcast_to(bowl.gradient @ unit * unit, rows.shape)
        np.testing.assert_allclose(rows, wanted, rtol=1e-2)


def test_the_correction_pays_if_only_its_share_of_signal_is_taken(bowl, drawn):
    """Eight pairs in twelve dimensions: raw, the orthogonal part is mostly noise.

    The gradient's part along the direction, of length a, adds to the noise across it.
    """
    gradient, unit = bowl.gradient, bowl.bulk / np.linalg.norm(bowl.bulk)
    rest = gradient - gradient @ unit * unit
    errors, angles = {}, {}
    for snr in (False, True):
        rows = drawn(hybrid, 8, snr=snr)((0.1,))[0]
        np.testing.assert_allclose(rows @ unit, np.linalg.norm(bowl.bulk), rtol=1e-3)
        errors[snr] = squares(rows - bowl.bulk - rest).mean() / squares(rest)
        angles[snr] = cosines(rows, gradient).mean()
    ratio = (gradient @ unit) ** 2 / squares(rest)
    assert errors[False] == pytest.approx((11 * ratio + 12) / 8, rel=0.15)
    assert errors[True] < 0.6 * errors[False]
    assert angles[True] > cosines(bowl.bulk, gradient)
