"""Spoken digits as spikes, and a stand-in without files that counting spikes does not solve.

The recordings are the Free Spoken Digit Dataset: 3,000 of them, ten digits by six speakers, at
8 kHz. They come with an official split, in which every speaker is in all parts; who holds a
speaker out asks for more, namely for what the voices have in common. Both become spikes by
`bionet.datasets.filter_bank`, whose bands are also moved up and down for copies of the
training recordings, as if shorter and longer people had spoken.

The stand-in has ten words of the same four syllables, each in an order of its own, at varying
speed. So every word makes the same spikes in the same channels, and only the order tells.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
import wave
import zipfile
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bionet._core.names import unknown
from bionet.datasets.filter_bank import band_energies, crossings
from bionet.datasets.readers import DataError
from bionet.datasets.sources import Source, load_file
from bionet.datasets.splits import Split, Splits, check_seed, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Bool, Float32, Int

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
_COMMIT = "26eb9aaf76e81b692f806f9140c2d2777410d7a1"
_OFFICIAL_TEST = 5  # recordings 0 to 4 of each digit and speaker

# The checksums are those of the arrays, since an archive of arrays is packed anew where needed.
FSDD = Source(
    title="The Free Spoken Digit Dataset",
    folder="fsdd",
    base_url="https://github.com/Jakobovski/free-spoken-digit-dataset/archive/",
    sha256={
        "train.npz": "1b8333c5bc74e76c989b231ac5fcc9268500964f26b940185b540d9ebb84819f",
        "test.npz": "3cfd9c830b79dd02089781f42c9f2f321dce543b036a11ef06fc9aa1dc1c5326",
    },
    ending="",
)
_CHECKED = (
    ("audio", "<i2"),
    ("offsets", "<i8"),
    ("labels", "u1"),
    ("speaker", "u1"),
    ("index", "u1"),
)

WORDS, SYLLABLES = 10, 4


class Recordings(NamedTuple):
    """Sounds with the digit that is spoken, who speaks, and which take of it this is."""

    audio: Sequence[np.ndarray]
    labels: Int[np.ndarray, " n"]
    speaker: Int[np.ndarray, " n"]
    take: Int[np.ndarray, " n"]


def fsdd(
    *,
    held_out: str | None = None,
    steps: int = 60,
    bands: int = 16,
    warps: Sequence[float] = (1.0,),
    download: bool = True,
    base_url: str | None = None,
) -> Splits:
    """The 3,000 spoken digits as spikes, 12 ms per step.

    The files are taken from `$BIONET_DATA/fsdd/` or the user's cache, or made of the recordings,
    which are downloaded (16 MB); their contents are checked each time.

    Args:
        held_out: The speaker, one of `SPEAKERS`, whose 500 recordings are the test, and who is
            in no other part; then takes 0 to 4 of the others are for validation. None is the
            official split: takes 0 to 4 are the test, and takes 5 to 9 are for validation.
        steps: How long each recording is.
        bands: Of the filter bank; there are six channels per band.
        warps: A copy of the training recordings with each of these factors on the bands.
        download: Whether the recordings are downloaded where they are absent.
        base_url: The folder to download from, for a mirror of your own.

    Returns:
        Spikes of shape (steps, 6 * bands), ten classes.

    Raises:
        DataError: A file is altered or foreign, or absent and not to be had.
        ModuleNotFoundError: A file is absent, and pooch, which downloads, is not installed.
        ValueError: An unknown speaker, with the nearest, no warp, or a number outside its range,
            see `bionet.datasets.filter_bank.band_energies`.

    References:
        Z. Jackson, C. Souza, J. Flaks, Y. Pan, H. Nicolas and A. Thite, "Free Spoken Digit
        Dataset", 2018 [jackson2018free].

    Example:
        >>> fsdd(held_out="theo").test  # doctest: +SKIP
        Split(500 samples of shape (60, 96))
    """
    if held_out is not None and held_out not in SPEAKERS:
        raise ValueError(unknown("speaker", held_out, SPEAKERS))
    if len(warps) == 0:
        raise ValueError("warps needs one factor at least; (1.0,) leaves the bands where they are.")
    parts = [
        load_file(
            FSDD,
            f"{name}.npz",
            _recordings,
            download=download,
            base_url=base_url,
            remote=f"{_COMMIT}.zip",
            convert=lambda raw, test=name == "test": _pack(raw, test=test),
        )
        for name in ("train", "test")
    ]
    audio = [*parts[0].audio, *parts[1].audio]
    labels, speaker, index = (
        np.concatenate([getattr(part, name) for part in parts]).astype(np.int32)
        for name in ("labels", "speaker", "take")
    )
    early = index < _OFFICIAL_TEST
    if held_out is None:
        test, validation, name = early, (index >= 5) & (index < 10), "fsdd"
    else:
        test = speaker == SPEAKERS.index(held_out)
        validation, name = early & ~test, "fsdd-held-out-speaker"

    def heard(rows: Bool[np.ndarray, " n"], warps: Sequence[float] = (1.0,)) -> Split:
        sounds = [sound for sound, taken in zip(audio, rows, strict=True) if taken]
        copies = [
            crossings(band_energies(sounds, steps=steps, bands=bands, warp=warp)) for warp in warps
        ]
        return Split(np.concatenate(copies), np.tile(labels[rows], len(warps)))

    train = heard(~test & ~validation, warps)
    return Splits(train, heard(validation), heard(test), name=name, num_classes=10)


def synthetic_digits(
    seed: int,
    *,
    steps: int = 60,
    channels: int = 24,
    train: int = 1000,
    validation: int = 300,
    test: int = 500,
) -> Splits:
    """Draws ten words of four syllables as spikes; what differs is the order of the syllables.

    A syllable is a group of channels that are active together. How long each lasts, and the silence
    before it, are drawn anew for every sample and say nothing of the word, so neither do the counts
    of spikes; some spikes are noise. Which channel spikes when does tell, though not surely.

    Args:
        seed: A whole number from 0; the same seed gives the same words and samples.
        steps: How long each sample is, 20 or more.
        channels: How many, a multiple of 4.
        train: How many training samples.
        validation: How many validation samples.
        test: How many test samples.

    Raises:
        TypeError: A number that is no whole number.
        ValueError: A number outside its range.

    Example:
        >>> synthetic_digits(0).train
        Split(1000 samples of shape (60, 24))
    """
    least = {"steps": 20, "channels": SYLLABLES, "train": 1, "validation": 1, "test": 1}
    given = (steps, channels, train, validation, test)
    for (name, bound), value in zip(least.items(), given, strict=True):
        if whole_number(name, value) < bound:
            raise ValueError(f"{name} must be {bound} or more, got {value}.")
    if channels % SYLLABLES:
        raise ValueError(f"channels must be a multiple of {SYLLABLES}, got {channels}.")
    streams = np.random.SeedSequence(check_seed(seed)).spawn(4)
    words, *parts = (np.random.default_rng(stream) for stream in streams)
    orders = np.array(list(itertools.permutations(range(SYLLABLES))))
    orders = orders[words.permutation(len(orders))[:WORDS]]
    train_, validation_, test_ = (
        _draw_spoken(rng, orders, count, steps, channels)
        for rng, count in zip(parts, (train, validation, test), strict=True)
    )
    return Splits(train_, validation_, test_, name="synthetic-digits", num_classes=WORDS)


def _draw_spoken(
    rng: np.random.Generator,
    orders: Int[np.ndarray, "words syllables"],
    count: int,
    steps: int,
    channels: int,
) -> Split:
    labels = rng.integers(0, len(orders), count)
    slot = steps // SYLLABLES
    silences = rng.integers(1, slot * 2 // 3, (count, SYLLABLES))
    lengths = rng.integers(slot // 5, slot // 2, (count, SYLLABLES))
    ends = np.stack([silences, lengths], -1).reshape(count, -1).cumsum(1)
    place = (np.arange(steps)[None, :, None] >= ends[:, None]).sum(-1)
    # Silence, a syllable, silence, ..., and after the last syllable silence to the end.
    heard = np.full((len(orders), 2 * SYLLABLES + 1), -1)
    heard[:, 1::2] = orders
    syllable = np.take_along_axis(heard[labels], place, 1)
    group = np.arange(channels) * SYLLABLES // channels
    rate = np.where(syllable[:, :, None] == group, 0.4, 0.02)
    return Split((rng.random(rate.shape) < rate).astype(np.float32), labels)


def _recordings(
    raw: bytes,
    *,
    origin: str,
    sha256: str | None = None,
    remedy: str = "Replace it by the original file.",
) -> Recordings:
    """Reads the bytes of an archive of arrays, if their checksum is the known one."""
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
            held = {name: stored[name].astype(dtype) for name, dtype in _CHECKED}
    except (ValueError, TypeError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{origin} is no archive of recordings ({error}). {remedy}") from error
    found = hashlib.sha256(b"".join(held[name].tobytes() for name, _ in _CHECKED)).hexdigest()
    if sha256 is not None and found != sha256:
        raise DataError(
            f"{origin} has been altered, or is another data set: the sha256 of its arrays starts "
            f"with {found[:12]}, not with {sha256[:12]}. {remedy}"
        )
    audio = np.split(held["audio"], held["offsets"][1:-1])
    return Recordings(audio, held["labels"], held["speaker"], held["index"])


def _pack(raw: bytes, *, test: bool) -> bytes:
    """An archive of arrays, made of the published archive of sound files.

    Raises:
        DataError: What came is no such archive.
    """
    takes = []
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for name in archive.namelist():
                found = re.search(r"/recordings/(\d)_([a-z]+)_(\d+)\.wav$", name)
                if found and (int(found[3]) < _OFFICIAL_TEST) == test:
                    with wave.open(io.BytesIO(archive.read(name))) as sound:
                        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
                    takes.append((SPEAKERS.index(found[2]), int(found[1]), int(found[3]), samples))
    except (zipfile.BadZipFile, wave.Error, ValueError) as error:
        raise DataError(f"What was sent is no archive of recordings ({error}).") from error
    takes.sort(key=lambda take: take[:3])
    speaker, labels, index = np.array([take[:3] for take in takes], np.uint8).reshape(-1, 3).T
    sounds = [take[3] for take in takes]
    packed = io.BytesIO()
    np.savez_compressed(
        packed,
        audio=np.concatenate([np.zeros(0, "<i2"), *sounds]),
        offsets=np.cumsum([0, *map(len, sounds)]),
        labels=labels,
        speaker=speaker,
        index=index,
    )
    return packed.getvalue()


def spike_counts(split: Split) -> Split:
    """The same samples without time: how often each channel spikes."""
    counts: Float32[np.ndarray, "n channels"] = split.x.sum(1)
    return Split(counts, split.y)
