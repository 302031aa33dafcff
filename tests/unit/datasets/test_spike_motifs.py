"""The songs say what their docstring says, and shifted neighbours vote as a plain loop would."""

from __future__ import annotations

import itertools
import re
from typing import Any

import numpy as np
import pytest

from bionet.datasets import Split, Splits, spike_motifs
from bionet.datasets.spike_motifs import (
    CLASSES,
    make_motif_songs,
    shifted_neighbours,
    smooth_in_time,
)

SMALL = {"train": 400, "validation": 50, "test": 300}
CLEAN = {"jitter": 0.0, "missing": 0.0, "noise": 0.0, "pause": 3, "length": 6}


@pytest.fixture(scope="module")
def songs() -> Splits:
    return make_motif_songs(0, **SMALL)


def parts(splits: Splits) -> list[Split]:
    assert splits.validation is not None
    return [splits.train, splits.validation, splits.test]


def test_samples_are_rasters_of_both_singers(songs: Splits) -> None:
    assert (songs.name, songs.num_classes) == ("motif-songs", CLASSES)
    assert [part.x.shape for part in parts(songs)] == [(n, 60, 80) for n in SMALL.values()]
    for part in parts(songs):
        assert set(np.unique(part.x)) == {0.0, 1.0}
        assert np.bincount(part.y, minlength=CLASSES).min() > len(part) / CLASSES / 2


def test_a_seed_is_a_task_and_a_part_does_not_depend_on_the_size_of_another(songs: Splits) -> None:
    again, other = make_motif_songs(0, **SMALL | {"train": 10}), make_motif_songs(1, **SMALL)
    np.testing.assert_array_equal(again.test.x, songs.test.x)
    np.testing.assert_array_equal(again.test.y, songs.test.y)
    assert not np.array_equal(other.test.x, songs.test.x)


@pytest.mark.slow
def test_each_neuron_spikes_once_per_motif_so_counts_tell_nothing() -> None:
    task = make_motif_songs(0, steps=100, **CLEAN | {"length": 40, "motifs": 2}, **SMALL)
    counts = task.train.x.sum(1)
    assert counts.max() == 2  # two motifs of one spike; a raster of 100 steps cuts some off
    rates = make_motif_songs(0, **SMALL | {"train": 4000}).train
    means = np.stack([rates.x[rates.y == c].sum(1).mean(0) for c in range(CLASSES)])
    assert np.ptp(means, axis=0).max() < 0.3  # of about four spikes each


def test_the_class_is_the_motif_after_the_cue_of_the_first_singer() -> None:
    # Two motifs in a song: the cue is the first, the class the second, so without any noise the
    # spikes after the cue are those of the class, whoever else sings.
    task = make_motif_songs(3, singers=2, motifs=2, neurons=12, steps=30, **CLEAN, **SMALL)
    own, others = task.train.x[:, :, :12], task.train.x[:, :, 12:]
    for singer, least, most in ((own, 0.95, 1.0), (others, 0.0, 0.4)):
        half = Split(_second_motif(singer[:300]), task.train.y[:300])
        found = shifted_neighbours(half, _second_motif(singer[300:]), neighbours=1, reach=0)
        assert least <= np.mean(found == task.train.y[300:]) <= most


def _second_motif(x: np.ndarray) -> np.ndarray:
    """The order in which neurons spike last: it is the same at every tempo."""
    last = x.shape[1] - 1 - x[:, ::-1].argmax(1)
    order = last - last.min(1, keepdims=True)
    return (order / order.max(1, keepdims=True))[:, None] - 0.5


def test_who_knows_the_motifs_but_not_their_order_is_right_as_often_as_the_page_says() -> None:
    songs = itertools.product(range(CLASSES), repeat=4)  # of five motifs, one is the cue
    shares = [max(map(song.count, song)) / 4 for song in songs]  # the answer is one of the four
    assert f"right in {100 * np.mean(shares):.0f} %" in " ".join(str(spike_motifs.__doc__).split())


def test_one_singer_has_the_channels_of_one_and_noise_alone_is_noise() -> None:
    quiet = make_motif_songs(0, singers=1, missing=1.0, noise=0.1, **SMALL)
    assert quiet.train.x.shape == (400, 60, 40)
    assert quiet.train.x.mean() == pytest.approx(0.1, abs=0.002)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"singers": 0}, "`singers` must be >= 1, got 0"),
        ({"motifs": 1}, "`motifs` must be >= 2, got 1"),
        ({"pause": -1}, "`pause` must be >= 0, got -1"),
        ({"test": 0}, "`test` must be >= 1, got 0"),
        ({"missing": 1.5}, "`missing` must be from 0 to 1, got 1.5"),
        ({"noise": float("nan")}, "`noise` must be from 0 to 1, got nan"),
        ({"jitter": -0.1}, "`jitter` must be >= 0 and finite, got -0.1"),
    ],
)
def test_numbers_outside_their_range_are_named(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"make_motif_songs: {told}")):
        make_motif_songs(0, **SMALL | options)


def test_smoothing_is_a_gaussian_bell_around_each_spike() -> None:
    x = np.zeros((1, 9, 2), np.float32)
    x[0, 4, 1] = 1
    seen = smooth_in_time(x, 1.5)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen[0, :, 1], np.exp(-(np.arange(-4, 5) ** 2) / 4.5), rtol=1e-6)
    assert not seen[0, :, 0].any()
    with pytest.raises(ValueError, match="`width` must be > 0, got 0"):
        smooth_in_time(x, 0)


def test_shifted_neighbours_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    train = Split(rng.random((30, 7, 3)), rng.integers(3, size=30))
    asked = rng.random((8, 7, 3)).astype(np.float32)

    def likeness(a: np.ndarray, b: np.ndarray) -> float:
        """The largest cosine-like product over shifts, step by step."""
        found = []
        for shift in range(-2, 3):
            pairs = [(t, t + shift) for t in range(7) if 0 <= t + shift < 7]
            found.append(sum(a[t] @ b[u] for t, u in pairs) / np.linalg.norm(b))
        return max(found)

    for neighbours in (1, 5):
        known = []
        for sample in asked:
            order = np.argsort([-likeness(sample, other) for other in train.x])[:neighbours]
            known.append(np.bincount(train.y[order], minlength=3).argmax())
        found = shifted_neighbours(train, asked, neighbours=neighbours, reach=2)
        assert found.tolist() == known


def test_a_shift_finds_what_a_raster_as_it_is_does_not() -> None:
    pattern = np.zeros((2, 12, 4), np.float32)
    pattern[0, (2, 3, 4), (0, 1, 2)] = 1
    pattern[1, (2, 3, 4), (2, 1, 0)] = 1
    train, late = Split(pattern, np.array([0, 1])), np.roll(pattern, 3, axis=1)
    assert shifted_neighbours(train, late, neighbours=1, reach=3).tolist() == [0, 1]
    assert shifted_neighbours(train, late, neighbours=1, reach=0).tolist() != [0, 1]


def test_what_shifted_neighbours_cannot_do_is_refused() -> None:
    train, x = Split(np.ones((3, 4, 2)), np.array([0, 1, 1])), np.ones((1, 4, 2), np.float32)
    for options, told in (
        ({"neighbours": 0, "reach": 0}, "`neighbours` must be >= 1, got 0"),
        ({"neighbours": 4, "reach": 0}, "needs at most 3 neighbours and a reach below 4, got 4 a"),
        ({"neighbours": 1, "reach": 4}, "got 1 and 4"),
    ):
        with pytest.raises(ValueError, match=re.escape(told)):
            shifted_neighbours(train, x, **options)
    with pytest.raises(ValueError, match="rasters need the shape"):
        shifted_neighbours(train, x[:, :3], neighbours=1, reach=0)
