"""The algebra: orthogonal, of the length that is asked for, and safe where something is zero."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.experimental.hybrid.estimate.correction import Correction, cosine

RNG = np.random.default_rng(1)
B, FIRST, SECOND = RNG.normal(size=(3, 50)).astype(np.float32)
HALVES = np.stack([FIRST, SECOND])
MEAN = HALVES.mean(0)


@jax.jit
def run(correction, b, estimate, halves):
    return correction(b, estimate, halves)


def corrected(b=B, estimate=MEAN, halves=HALVES, **options):
    return run(Correction("test", **options), *map(jnp.asarray, (b, estimate, halves)))


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
@pytest.mark.parametrize("lam", [0.2, 3.0])
def test_it_is_orthogonal_and_has_the_length_that_is_asked_for(lam, scale):
    found = corrected(b=scale * B, lam=lam)
    added = np.asarray(found.g, float) - scale * B
    assert abs(cosine(found.g_orth, B)) < 1e-6
    assert np.linalg.norm(added) == pytest.approx(lam * np.linalg.norm(scale * B), rel=1e-4)
    assert found.fraction == pytest.approx(lam, rel=1e-5)


def test_the_raw_form_adds_it_as_it_is():
    found = corrected(lam=0.3, normalize=False)
    assert found.lam_eff == np.float32(0.3)
    np.testing.assert_allclose(found.g, B + np.float32(0.3) * found.g_orth, rtol=1e-6)
    np.testing.assert_allclose(found.g_orth, MEAN - (MEAN @ B) / (B @ B) * B, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("normalize", [True, False])
def test_lam_zero_leaves_the_direction_bit_by_bit(normalize):
    b = B.copy()
    b[3], b[4] = -0.0, 1e-42  # which adding a zero would change
    for estimate in (MEAN, np.full_like(MEAN, np.nan)):
        found = corrected(b=b, estimate=estimate, lam=0.0, normalize=normalize)
        assert np.asarray(found.g).tobytes() == b.tobytes()


def test_what_is_zero_makes_no_nan():
    zero = np.zeros_like(B)
    for options in ({"lam": 0.2}, {"lam": 0.2, "normalize": False}, {"lam": 1.0, "snr": True}):
        nothing = corrected(estimate=zero, halves=np.stack([zero, zero]), **options)
        assert np.array_equal(nothing.g, B)
        assert all(np.isfinite(part).all() for part in nothing)
        no_bulk = corrected(b=zero, **options)
        assert all(np.isfinite(part).all() for part in no_bulk)
    assert np.array_equal(corrected(b=zero, lam=0.2).g, zero)  # 0.2 times a length of zero
    raw = corrected(b=zero, lam=0.5, normalize=False).g
    np.testing.assert_allclose(raw, 0.5 * MEAN, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 50])
def test_rounding_is_not_blown_up(size):
    """What is along the direction has nothing orthogonal, whatever rounding leaves of it."""
    for factor in (1.7, -0.3, 1e-3):
        b = B[:size]
        found = corrected(b=b, estimate=factor * b, halves=factor * np.stack([b, b]), lam=0.2)
        np.testing.assert_allclose(found.g, b, rtol=1e-5)
        assert found.g_orth.any() == 0


class TestShareOfSignal:
    def test_halves_that_agree_are_all_signal(self):
        found = corrected(halves=np.stack([MEAN, MEAN]), lam=0.2, snr=True)
        assert found.signal_share == pytest.approx(1.0, rel=1e-5)
        assert found.fraction == pytest.approx(0.2, rel=1e-5)

    def test_halves_that_contradict_each_other_are_none(self):
        found = corrected(halves=np.stack([FIRST, 2 * MEAN - FIRST]), lam=0.2, snr=True)
        opposed = corrected(halves=np.stack([3 * MEAN, -MEAN]), lam=0.2, snr=True)
        assert (float(opposed.signal_share), float(opposed.fraction)) == (0.0, 0.0)
        assert np.array_equal(opposed.g, B)
        assert 0 <= found.signal_share <= 1

    def test_it_scales_either_form(self):
        for normalize in (True, False):
            plain, scaled = (corrected(lam=0.2, normalize=normalize, snr=s) for s in (False, True))
            assert 0 < plain.signal_share < 1
            assert scaled.lam_eff == pytest.approx(float(plain.lam_eff * plain.signal_share))

    def test_its_mean_is_the_share_of_signal(self):
        """A signal of length 2 in noise of 1 per number and half: 4 / (4 + 50 / 2)."""
        signal = np.zeros(50)
        signal[0] = 2.0
        halves = (signal + RNG.normal(size=(4000, 2, 50))).astype(np.float32)
        b = np.eye(50, dtype=np.float32)[1]  # orthogonal to the signal, and so 49 numbers are left
        correction = Correction("test", 1.0, normalize=False, snr=True)
        find = jax.jit(jax.vmap(lambda h: correction(b, h.mean(0), h)))
        found = find(jnp.asarray(halves))
        unclipped = 4 / (4 + 49 / 2)
        assert np.mean(found.signal_share) == pytest.approx(unclipped, abs=0.04)
        errors = [
            np.mean(np.sum((weight[:, None] * found.g_orth - signal) ** 2, 1))
            for weight in (found.lam_eff, np.ones(4000))
        ]
        assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"lam": -0.1}, "hybrid_gradient: lam needs to be 0 or more and finite, got -0.1."),
        ({"lam": np.nan}, "hybrid_gradient: lam needs to be 0 or more and finite, got nan."),
        ({"lam": 1.0, "eps": -1}, "hybrid_gradient: eps needs to be 0 or more and finite, got -1."),
    ],
)
def test_bad_numbers_are_refused(options, sentence, says):
    with says(ValueError, sentence):
        Correction("hybrid_gradient", **options)
