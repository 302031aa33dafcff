"""Sounds become spikes at levels, and words differ in nothing but their order."""

from __future__ import annotations

import io
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bionet.datasets import DataError, nearest_class_mean
from bionet.datasets.filter_bank import band_energies, crossings
from bionet.datasets.sources import VARIABLE
from bionet.datasets.speech import _pack, _recordings, fsdd, spike_counts, synthetic_digits


def tone(frequency: float) -> np.ndarray:
    return 1000 * np.sin(2 * np.pi * frequency * np.arange(4000) / 8000)


def test_a_tone_is_loudest_in_its_band_and_warping_moves_it() -> None:
    energies = band_energies([tone(500), tone(2000)], steps=20)
    assert energies.shape == (2, 20, 16)
    assert 0 <= energies.min() < energies.max() <= 1
    low, high = energies[:, 5].argmax(-1)
    assert low < high
    assert band_energies([tone(2000)], steps=20, warp=1.2)[0, 5].argmax() < high


@pytest.mark.parametrize(
    ("options", "kind", "sentence"),
    [
        ({"warp": 0}, ValueError, "warp must be above 0 and finite, got 0."),
        ({"warp": np.nan}, ValueError, "warp must be above 0 and finite, got nan."),
        ({"rate": -8000}, ValueError, "rate must be above 0 and finite, got -8000."),
        ({"steps": 0}, ValueError, "steps must be 1 or more, got 0."),
        ({"hop": 0}, ValueError, "hop must be 1 or more, got 0."),
        ({"bands": 2.5}, TypeError, "bands must be a whole number, got 2.5."),
        (
            {"rate": 44100, "bands": 24},
            ValueError,
            "Band 1 of 24, from 178 to 306 Hz, could never sound: frames of 256 samples at 44100 "
            "per second tell frequencies apart that are multiples of 172 Hz, up to 22050.",
        ),
        ({"rate": 4000}, ValueError, "up to 2000. Give fewer bands, or recordings at about 8000"),
    ],
)
def test_a_bank_that_could_not_hear_is_refused(options, kind, sentence, says) -> None:
    with says(kind, sentence):
        band_energies([tone(500)], **options)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("warp", [0.8, 1.0, 1.25])
def test_every_band_can_sound(rate: int, warp: float) -> None:
    noise = np.random.default_rng(0).normal(size=4000)
    energies = band_energies([noise], rate=rate, warp=warp, steps=20)
    assert (energies[0].max(0) > 0.5).all()


@pytest.mark.parametrize(
    ("sound", "sentence"),
    [
        ([0.0, np.nan], "Recording 1 holds NaN or infinity; drop or repair it first."),
        ([[0.0, 1.0]], "Recording 1 must be a row of samples, one at least, but its shape is"),
        ([], "Recording 1 must be a row of samples, one at least, but its shape is (0,)"),
    ],
)
def test_a_recording_that_is_none_is_refused_by_its_number(sound, sentence, says) -> None:
    with says(ValueError, sentence):
        band_energies([tone(500), np.array(sound)])


@pytest.mark.parametrize("levels", [(), (0.0, 0.5), (0.5, 1.5), (np.nan,)])
def test_a_level_that_is_never_crossed_is_refused(levels, says) -> None:
    with says(ValueError, "crossings: levels must be above 0 and 1 at most, one at least, got"):
        crossings(np.zeros((1, 2, 1)), levels)


@pytest.mark.parametrize("energies", [np.full((1, 2, 1), np.nan), np.zeros((2, 1))])
def test_energies_that_are_none_are_refused(energies, says) -> None:
    with says(ValueError, "crossings: energies must be finite, of shape (n, steps, bands), got"):
        crossings(energies)


def test_silence_is_no_error_and_makes_no_spike() -> None:
    assert crossings(band_energies([np.zeros(10)], steps=5)).sum() == 0


def test_a_spike_is_where_a_level_is_crossed() -> None:
    spikes = crossings(np.array([[[0.5], [0.7], [0.7], [0.1]]]), (0.4, 0.6))
    # For each level: rising, falling.
    np.testing.assert_array_equal(
        spikes[0], [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 1]]
    )


def test_words_belong_to_their_seed_and_counting_tells_nothing() -> None:
    first, again, other = (synthetic_digits(seed, train=400, test=400) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.train.x, again.train.x)
    assert not np.array_equal(first.train.x, other.train.x)
    assert set(np.unique(first.train.x)) == {0.0, 1.0}
    assert set(first.test.y) == set(range(10))
    answers = nearest_class_mean(spike_counts(first.train), first.test.x.sum(1))
    assert np.mean(answers == first.test.y) < 0.2
    with pytest.raises(ValueError, match="channels must be a multiple of 4, got 22"):
        synthetic_digits(0, channels=22)


def archive_of(names: list[str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for length, name in enumerate(names, start=3):
            sound = io.BytesIO()
            with wave.open(sound, "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", ""))
                file.writeframes(np.arange(length, dtype="<i2").tobytes())
            archive.writestr(f"some-folder/recordings/{name}.wav", sound.getvalue())
    return packed.getvalue()


def test_the_published_archive_is_sorted_into_both_parts() -> None:
    raw = archive_of(["1_theo_0", "0_george_12", "0_george_7", "2_george_5", "1_george_4"])
    train = _recordings(_pack(raw, test=False), origin="here")
    assert list(train.take) == [7, 12, 5]
    assert list(train.labels) == [0, 0, 2]
    assert [len(sound) for sound in train.audio] == [5, 4, 6]
    test = _recordings(_pack(raw, test=True), origin="here")
    assert list(test.speaker) == [0, 4]


def test_foreign_bytes_are_refused() -> None:
    with pytest.raises(DataError, match="here is no archive of recordings"):
        _recordings(b"nothing", origin="here")
    with pytest.raises(DataError, match="What was sent is no archive of recordings"):
        _pack(b"nothing", test=True)
    packed = _pack(archive_of(["1_theo_0"]), test=True)
    with pytest.raises(DataError, match="here has been altered, or is another data set"):
        _recordings(packed, origin="here", sha256="0" * 64)


def test_an_unknown_speaker_is_told_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"No speaker is named 'Theo'.*'theo'"):
        fsdd(held_out="Theo")
    with pytest.raises(ValueError, match="warps needs one factor at least"):
        fsdd(warps=())


def test_a_held_out_speaker_is_in_no_other_part(real_data: Path) -> None:
    if not (real_data / "fsdd").is_dir():
        pytest.skip(f"needs the spoken digits under {VARIABLE}")
    splits = fsdd(held_out="theo", steps=10, bands=2, download=False)
    assert splits.validation is not None
    sizes = [len(part) for part in (splits.train, splits.validation, splits.test)]
    assert sizes == [2250, 250, 500]
    assert splits.test.x.shape == (500, 10, 12)
    assert np.bincount(splits.test.y).tolist() == [50] * 10
