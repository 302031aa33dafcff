"""Songs of spike motifs, two at once: the motif that comes after the cue is the class.

A motif is one spike of each neuron of a singer, at times that were drawn once. A song is a row of
motifs with pauses between them; one of them is the singer's cue, and the others are drawn at
random, so they come in any number and order. Each motif is sung at a tempo of its own, spikes move
a little, some do not come, and others come from nowhere. Two singers with neurons and motifs of
their own sing at the same time, and the class is of the first alone: the motif that follows its
cue. Everything that the second sings is as regular as the first, and says nothing.

So neither counts of spikes nor any sum of spikes over time tell the class, nor which motifs there
are; an observer who knows every motif of the first singer but not their order is right in 53 % of
the samples. Two samples look alike if the second singer sings alike, or if motifs of the first
agree that are not the ones to listen to, which is why neighbours help little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bionet.datasets.splits import Split, Splits, check_seed, whole_number

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Float32, Int, Int32

CLASSES = 4  # motifs of a singer beside its cue
SHORTEST, LONGEST = 0.7, 1.4  # tempo: length of a motif as it is sung, over its own
_BLOCK = 500  # samples to label at a time


def make_motif_songs(
    seed: int,
    *,
    singers: int = 2,
    neurons: int = 40,
    motifs: int = 5,
    length: int = 6,
    pause: int = 6,
    steps: int = 60,
    jitter: float = 0.7,
    missing: float = 0.2,
    noise: float = 0.02,
    train: int = 6000,
    validation: int = 1000,
    test: int = 1000,
) -> Splits:
    """Draws the motifs of every singer, and samples of their songs.

    All three parts are fresh songs of the same motifs, and each part has its own random stream.
    What a long song has to say beyond the last step is cut off.

    Args:
        seed: A whole number from 0; the same seed gives the same motifs and songs.
        singers: How many sing at once, 1 or more; the first one's song has the class.
        neurons: How many each singer has; sample channels are those of the first, then the others'.
        motifs: How many a song has, the cue among them, 2 or more.
        length: Time steps of a motif at its own tempo.
        pause: The longest pause before a motif, in time steps.
        steps: Time steps of a sample.
        jitter: Standard deviation of a spike's time, in time steps.
        missing: The probability that a spike does not come.
        noise: The probability of a spike from nowhere, per neuron and time step.
        train: How many training samples.
        validation: How many validation samples.
        test: How many test samples.

    Returns:
        Samples of shape (steps, singers * neurons), of zeros and ones, in `CLASSES` classes.

    Raises:
        TypeError: A number that is no whole number where one is needed.
        ValueError: A number outside its range.

    Example:
        >>> make_motif_songs(0, train=10).train
        Split(10 samples of shape (60, 80))
    """
    least = {"singers": 1, "neurons": 1, "motifs": 2, "length": 1, "pause": 0, "steps": 1}
    least |= {"train": 1, "validation": 1, "test": 1}
    _check(least, (singers, neurons, motifs, length, pause, steps, train, validation, test))
    for name, share in {"missing": missing, "noise": noise}.items():
        if not 0 <= share <= 1:
            raise ValueError(f"make_motif_songs: `{name}` must be from 0 to 1, got {share}.")
    if not 0 <= jitter < np.inf:
        raise ValueError(f"make_motif_songs: `jitter` must be >= 0 and finite, got {jitter}.")
    streams = np.random.SeedSequence(check_seed(seed)).spawn(4)
    drawn, *parts = (np.random.default_rng(stream) for stream in streams)
    times = drawn.uniform(0, length, (singers, CLASSES + 1, neurons))  # the last one is the cue

    def draw(rng: np.random.Generator, count: int) -> Split:
        songs = [_scores(rng, count, motifs) for _ in range(singers)]
        sung = [
            _sing(rng, own[order], length, pause, steps, jitter, missing)
            for own, (order, _) in zip(times, songs, strict=True)
        ]
        heard = np.concatenate(sung, axis=2)
        heard |= rng.random(heard.shape, np.float32) < noise
        return Split(heard, songs[0][1])

    made = [draw(rng, n) for rng, n in zip(parts, (train, validation, test), strict=True)]
    return Splits(*made, name="motif-songs", num_classes=CLASSES)


def _scores(
    rng: np.random.Generator, count: int, motifs: int
) -> tuple[Int[np.ndarray, "n motifs"], Int[np.ndarray, " n"]]:
    """The numbers of the motifs in order, and the one that follows the cue."""
    order = rng.integers(CLASSES, size=(count, motifs))
    cue, sample = rng.integers(motifs - 1, size=count), np.arange(count)
    order[sample, cue] = CLASSES
    return order, order[sample, cue + 1]


def _sing(
    rng: np.random.Generator,
    times: Float[np.ndarray, "n motifs neurons"],
    length: int,
    pause: int,
    steps: int,
    jitter: float,
    missing: float,
) -> Bool[np.ndarray, "n steps neurons"]:
    tempo = rng.uniform(SHORTEST, LONGEST, times.shape[:2])
    pauses = rng.uniform(0, pause, times.shape[:2])
    begin = np.cumsum(pauses + tempo * length, axis=1) - tempo * length
    when = begin[..., None] + tempo[..., None] * times + rng.normal(0, jitter, times.shape)
    when = np.floor(when).astype(int)
    comes = (rng.random(times.shape) >= missing) & (when >= 0) & (when < steps)
    sample, _, neuron = np.nonzero(comes)
    x = np.zeros((len(times), steps, times.shape[2]), bool)
    x[sample, when[comes], neuron] = True
    return x


def smooth_in_time(
    x: Float[np.ndarray, "n steps channels"], width: float
) -> Float32[np.ndarray, "n steps channels"]:
    """Spreads each spike over time as a Gaussian bell.

    Args:
        x: The rasters.
        width: Standard deviation of the bell, in time steps, above 0.

    Returns:
        Rasters of the same shape.

    Raises:
        ValueError: A width of 0 or below.
    """
    if not width > 0:
        raise ValueError(f"smooth_in_time: `width` must be > 0, got {width}.")
    apart = np.subtract.outer(np.arange(x.shape[1]), np.arange(x.shape[1]))
    bells = np.exp(-0.5 * (apart / width) ** 2).astype(np.float32)
    bells[bells < np.finfo(np.float32).eps] = 0  # products of what is smaller are slow, and nothing
    return np.matmul(bells, x)


def shifted_neighbours(
    train: Split, x: Float[np.ndarray, "n steps channels"], *, neighbours: int, reach: int
) -> Int32[np.ndarray, " n"]:
    """Lets the most similar training rasters vote, each moved in time to where it fits best.

    The similarity of two rasters is their product over its lengths (the cosine), the largest over
    all shifts by up to `reach` steps; what a shift moves beyond an end is lost.

    Args:
        train: The rasters to look among, with their classes.
        x: The rasters to label.
        neighbours: How many vote, 1 or more; ties go to the lowest class.
        reach: The largest shift to either side, in time steps, 0 or more and below the length.

    Returns:
        One class label per raster.

    Raises:
        TypeError: A number that is no whole number.
        ValueError: Too few or too many neighbours, a shift beyond the raster, or other shapes.
    """
    _check({"neighbours": 1, "reach": 0}, (neighbours, reach), where="shifted_neighbours")
    if x.shape[1:] != train.x.shape[1:]:
        raise ValueError(
            f"shifted_neighbours: rasters need the shape {train.x.shape[1:]} of the training "
            f"rasters, got {x.shape[1:]}."
        )
    if neighbours > len(train) or reach >= x.shape[1]:
        raise ValueError(
            f"shifted_neighbours: needs at most {len(train)} neighbours and a reach below "
            f"{x.shape[1]}, got {neighbours} and {reach}."
        )
    seen = train.x.reshape(len(train), -1)
    lengths = np.linalg.norm(seen, axis=1)
    seen = seen / np.where(lengths > 0, lengths, 1)[:, None]
    blocks = [x[start : start + _BLOCK] for start in range(0, len(x), _BLOCK)]
    return np.concatenate([_vote(train.y, seen, block, neighbours, reach) for block in blocks])


def _vote(
    labels: np.ndarray, seen: np.ndarray, x: np.ndarray, neighbours: int, reach: int
) -> np.ndarray:
    likeness = np.full((len(x), len(seen)), -np.inf, np.float32)
    for shift in range(-reach, reach + 1):
        moved = np.zeros_like(x)
        moved[:, max(shift, 0) : x.shape[1] + min(shift, 0)] = x[
            :, max(-shift, 0) : x.shape[1] + min(-shift, 0)
        ]
        np.maximum(likeness, moved.reshape(len(x), -1) @ seen.T, out=likeness)
    chosen = labels[np.argpartition(-likeness, neighbours - 1, axis=1)[:, :neighbours]]
    votes = (chosen[..., None] == np.arange(labels.max() + 1)).sum(1)
    return votes.argmax(1).astype(np.int32)


def _check(least: dict[str, int], given: Any, where: str = "make_motif_songs") -> None:
    for (name, bound), value in zip(least.items(), given, strict=True):
        if whole_number(name, value) < bound:
            raise ValueError(f"{where}: `{name}` must be >= {bound}, got {value}.")
