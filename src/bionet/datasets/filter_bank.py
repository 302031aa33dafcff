"""Sound as spikes: a bank of filters as in an ear, and a spike wherever a level is crossed.

The energy of a sound in bands of equal width on the mel scale, on a logarithmic scale from 0 (so
many decibels below the loudest of the recording) to 1, is compared with a few levels. Each band
has two channels per level: one spikes when the energy rises to it, one when it falls below. So
most spikes are at onsets and offsets, and none say how long a tone lasts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bionet.datasets.splits import whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float, Float32

_FRAME = 256  # samples
_RANGE = 5.0  # powers of ten between 0 and 1
_LOWEST, _HIGHEST = 120.0, 3800.0  # Hz


def band_energies(
    audio: Sequence[Float[np.ndarray, " samples"]],
    *,
    rate: int = 8000,
    steps: int = 60,
    hop: int = 96,
    bands: int = 16,
    warp: float = 1.0,
) -> Float32[np.ndarray, "n steps bands"]:
    """The energy of recordings in bands, from 0 to 1.

    Recordings are cut or filled up with silence to the same number of steps.

    Args:
        audio: The recordings.
        rate: Samples per second.
        steps: How many steps of each recording.
        hop: Samples per step.
        bands: How many bands.
        warp: A factor on the bands' frequencies, which is what a shorter (above 1) or longer
            vocal tract does to a voice.

    Raises:
        TypeError: A number of steps, samples or bands that is no whole number.
        ValueError: A number outside its range, a band that holds none of the frequencies that
            can be told apart, so that it could never sound, or a recording that is no row of
            finite numbers.
    """
    for name, value in (("steps", steps), ("hop", hop), ("bands", bands)):
        if whole_number(name, value) < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}.")
    for name, value in (("rate", rate), ("warp", warp)):
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be above 0 and finite, got {value}.")
    sounds = [_check(number, sound) for number, sound in enumerate(audio)]
    weights = _bands(rate, bands, warp)
    window = np.hanning(_FRAME).astype(np.float32)
    length = hop * (steps - 1) + _FRAME
    energies = np.zeros((len(sounds), steps, bands), np.float32)
    for row, sound in enumerate(sounds):
        filled = np.zeros(length, np.float32)
        filled[: len(sound)] = sound[:length]
        frames = np.lib.stride_tricks.sliding_window_view(filled, _FRAME)[::hop]
        power = np.abs(np.fft.rfft(frames * window, axis=-1)) ** 2
        heard = power @ weights
        loudest = max(float(heard.max()), 1e-12)
        energies[row] = 1 + np.log10(np.maximum(heard / loudest, 10**-_RANGE)) / _RANGE
    return np.maximum(energies, 0)  # Some logarithms round the lowest to a bit below it.


def crossings(
    energies: Float[np.ndarray, "n steps bands"], levels: Sequence[float] = (0.4, 0.6, 0.8)
) -> Float32[np.ndarray, "n steps channels"]:
    """A spike, 1, wherever a level is crossed; two channels per band and level, rising first.

    Before the first step there was silence.

    Args:
        energies: From 0 to 1.
        levels: Above 0, and 1 at most.

    Raises:
        ValueError: Energies of another shape or that are not finite, no level, or a level that
            no energy can cross.
    """
    if np.ndim(energies) != 3 or not np.isfinite(energies).all():
        raise ValueError(
            f"crossings: energies must be finite, of shape (n, steps, bands), got shape "
            f"{np.shape(energies)}."
        )
    if len(levels) == 0 or not all(0 < level <= 1 for level in levels):
        raise ValueError(
            f"crossings: levels must be above 0 and 1 at most, one at least, got {tuple(levels)}; "
            f"energies run from 0 to 1, so no other level is ever crossed."
        )
    above = energies[..., None] >= np.asarray(levels, np.float32)
    before = np.concatenate([np.zeros_like(above[:, :1]), above[:, :-1]], axis=1)
    spikes = np.stack([above & ~before, before & ~above], axis=-1)
    return spikes.reshape(*energies.shape[:2], -1).astype(np.float32)


def _bands(rate: int, bands: int, warp: float) -> Float32[np.ndarray, "frequencies bands"]:
    """Triangles that overlap by half, at equal distances on the mel scale."""
    low, high = (1127 * np.log1p(frequency / 700) for frequency in (_LOWEST, _HIGHEST))
    mel = np.linspace(low, high, bands + 2)
    corners = warp * 700 * np.expm1(mel / 1127)
    frequencies = np.fft.rfftfreq(_FRAME, 1 / rate)[:, None]
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    weights = np.maximum(np.minimum(rising, falling), 0).astype(np.float32)
    _check_heard(weights, corners, rate)
    return weights


def _check_heard(weights: np.ndarray, corners: np.ndarray, rate: float) -> None:
    """Fails if a band lies between two frequencies of the grid, or above them all."""
    silent = np.flatnonzero(~(weights > 0).any(axis=0))
    if silent.size:
        band, bands = silent[0], weights.shape[1]
        raise ValueError(
            f"Band {band} of {bands}, from {corners[band]:.0f} to {corners[band + 2]:.0f} Hz, "
            f"could never sound: frames of {_FRAME} samples at {rate} per second tell frequencies "
            f"apart that are multiples of {rate / _FRAME:.0f} Hz, up to {rate / 2:.0f}. Give "
            f"fewer bands, or recordings at about 8000 samples per second."
        )


def _check(number: int, sound: Any) -> np.ndarray:
    """The recording, if it is a row of finite numbers."""
    samples = np.asarray(sound)
    if samples.ndim != 1 or samples.size == 0 or samples.dtype.kind not in "biuf":
        raise ValueError(
            f"Recording {number} must be a row of samples, one at least, but its shape is "
            f"{samples.shape} and its dtype {samples.dtype}."
        )
    if not np.isfinite(samples).all():
        raise ValueError(f"Recording {number} holds NaN or infinity; drop or repair it first.")
    return samples
