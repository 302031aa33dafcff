"""Delays: whole ticks, never negative; and one that is a number with a gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.graph import (
    ClippedNormal,
    Deterministic,
    InputState,
    Mixture,
    TrainableDelay,
    Uniform,
)


def drawn(delay, n=20_000):
    return delay.sample(np.random.default_rng(0), n)


@pytest.mark.parametrize(
    "delay",
    [
        Deterministic(0.01),
        ClippedNormal(0.01, 0.02),
        Uniform(0.01, 0.02),
        Mixture([Uniform(0.0, 0.01), Deterministic(0.3)]),
        TrainableDelay(0.01, 0.02),
    ],
)
def test_delays_are_whole_ticks_that_a_seed_repeats(delay):
    found = drawn(delay, 1000)
    assert found.shape == (1000,)
    assert np.issubdtype(found.dtype, np.integer)
    assert found.min() >= 0
    assert np.array_equal(found, drawn(delay, 1000))
    assert delay.sample(np.random.default_rng(0), 0).shape == (0,)


def test_a_fixed_delay_is_what_it_says():
    assert set(drawn(Deterministic(0.0035))) == {3500}


def test_normal_delays_have_their_moments_and_are_moved_to_the_ends():
    free = drawn(ClippedNormal(1.0, 0.1))
    assert free.mean() == pytest.approx(1_000_000, rel=0.01)
    assert free.std() == pytest.approx(100_000, rel=0.03)
    clipped = drawn(ClippedNormal(0.0, 1.0, high=0.5))
    assert (clipped == 0).mean() == pytest.approx(0.5, abs=0.02)
    assert (clipped == 500_000).mean() == pytest.approx(0.31, abs=0.02)
    assert drawn(ClippedNormal(0.0, 1.0, low=0.25)).min() == 250_000


def test_uniform_delays_fill_their_range():
    found = drawn(Uniform(0.01, 0.03))
    assert 10_000 <= found.min() < 10_100
    assert 29_900 < found.max() <= 30_000
    assert found.mean() == pytest.approx(20_000, rel=0.01)


def test_a_mixture_takes_its_parts_as_often_as_their_weights():
    found = drawn(Mixture([Deterministic(0.1), Deterministic(0.2)], weights=[3, 1]))
    assert (found == 100_000).mean() == pytest.approx(0.75, abs=0.02)
    assert set(found) == {100_000, 200_000}


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: Deterministic(-1), "Deterministic: seconds needs finite seconds, 0 or more, got"),
        (lambda: ClippedNormal(0.1, -1), "ClippedNormal: std needs finite seconds, 0 or more"),
        (lambda: ClippedNormal(0.1, 1, 2, 1), "ClippedNormal: needs low <= high, got 2.0 and 1.0."),
        (lambda: Uniform(2, 1), "Uniform: needs low <= high, got 2.0 and 1.0."),
        (lambda: Uniform(0, float("inf")), "Uniform: high needs finite seconds"),
        (lambda: Mixture([]), "Mixture: needs one weight per delay and one delay at least"),
        (lambda: Mixture([Deterministic(0)], [1, 1]), "got 1 delays and 2 weights."),
        (lambda: Mixture([Deterministic(0)], [-1]), "Mixture: weights need to be 0 or more"),
        (lambda: Mixture([Deterministic(0)], [0]), "Mixture: weights need to be 0 or more"),
        (lambda: TrainableDelay(0.2, 0.1), "TrainableDelay: needs low <= high, got 0.2 and 0.1."),
        (lambda: TrainableDelay(0, 0.1, 0.2), "TrainableDelay: seconds needs to lie between low"),
    ],
)
def test_what_is_no_delay_is_told(says, build, sentence):
    with says(ValueError, sentence):
        build()


def test_a_mixture_is_of_delays_that_are_drawn(says):
    for part in (0.1, TrainableDelay(0.0, 0.1)):
        with says(TypeError, "Mixture: needs delays that are drawn, such as Uniform, got"):
            Mixture([part])


# A signal that says 2 t + 1 at 0, 20, 40 and 60 ms, in a window whose first place is empty.
SENT = np.array([0, 0, 20, 40, 60]) * 1000
SEEN = InputState(
    seq=jnp.array([-1, 0, 1, 2, 3]),
    ts_sent=jnp.array(SENT),
    ts_recv=jnp.array(SENT),
    data={"x": jnp.array([-5.0, 1.0, 1.04, 1.08, 1.12])},
)


def read(seconds, ts=70_000, seen=SEEN):
    return float(TrainableDelay(0.0, 0.2, seconds)(seen, jnp.array(ts))["x"])


@pytest.mark.parametrize("ms", [10.0, 15.0, 30.0, 42.5, 50.0, 69.0])
def test_between_messages_the_signal_is_on_the_line(ms):
    assert read(ms / 1000) == pytest.approx(2 * (0.070 - ms / 1000) + 1, abs=1e-6)


@pytest.mark.slow
def test_before_and_after_the_messages_the_signal_is_constant():
    assert read(0.001) == pytest.approx(1.12)
    assert read(0.100) == pytest.approx(-5.0)
    late = SEEN[2:]
    assert read(0.069, seen=late) == pytest.approx(1.04)
    blank = jax.tree.map(lambda leaf: leaf[:1], SEEN)
    assert read(0.03, seen=blank) == pytest.approx(-5.0)


def test_what_was_there_before_the_first_message_is_no_end_of_a_line():
    first = InputState(
        seq=jnp.array([-1, 0]),
        ts_sent=jnp.array([0, 20_000]),
        ts_recv=jnp.array([0, 25_000]),
        data={"x": jnp.array([-5.0, 1.0])},
    )
    for ms, value in ((19, 1.0), (21, -5.0), (29, -5.0)):
        assert read(ms / 1000, ts=40_000, seen=first) == pytest.approx(value)


def test_the_delay_has_the_gradient_of_finite_differences():
    for seconds in (0.013, 0.035, 0.055):
        delay = TrainableDelay(0.0, 0.2, seconds)
        slope = float(jax.grad(lambda d: d(SEEN, jnp.array(70_000))["x"])(delay).seconds)
        step = 1e-3
        measured = (read(seconds + step) - read(seconds - step)) / (2 * step)
        assert slope == pytest.approx(-2.0, rel=1e-3)
        assert measured == pytest.approx(slope, rel=1e-2)


def test_late_in_an_episode_no_tick_is_lost():
    later = 2_000_000_000
    shifted = InputState(SEEN.seq, SEEN.ts_sent + later, SEEN.ts_recv + later, SEEN.data)
    for seconds in (0.013, 0.0351):
        assert read(seconds, later + 70_000, shifted) == pytest.approx(read(seconds), abs=1e-6)


def test_a_window_that_covers_the_range_is_enough():
    rng, rate = np.random.default_rng(1), 50
    for low, high in ((0.0, 0.04), (0.005, 0.03), (0.0, 0.0), (0.01, 0.1)):
        size = TrainableDelay(low, high).window_for(rate)
        for now in rng.uniform(1, 2, 50):
            arrived = np.arange(0, now - low, 1 / rate)
            assert arrived[-size] <= now - high + 1e-9


def test_it_goes_under_jit_and_is_read_at_the_ends_of_its_range():
    delay = TrainableDelay(0.01, 0.03)
    assert float(delay.seconds) == pytest.approx(0.02)
    moved = jax.jit(lambda s: jax.tree.map(lambda _: s, delay)(SEEN, jnp.array(70_000))["x"])
    assert float(moved(jnp.array(1.0))) == pytest.approx(1.08)
    assert float(moved(jnp.array(-1.0))) == pytest.approx(1.12)
