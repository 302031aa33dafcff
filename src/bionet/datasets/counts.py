"""Counting what follows what: the floors of every model that predicts the next character.

A count of n characters looks at the n - 1 before the next one. On a text that needs a memory, a
short count sees nothing of what has to be remembered, so it says little that a model beats it; the
floor that counts is the one of the length and smoothing that do best on validation text.

Counted on the training text, one, two and three characters need about 3.35, 2.51 and 2.19 nats per
character of Tiny Shakespeare's test text, in windows of 128 characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from bionet.datasets.parts import Part, Parts
from bionet.datasets.text import CHARACTERS, grammar_optimum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jaxtyping import Float, Float32, Int

SMOOTHING = 2.0
LENGTHS = {"grammar": 16, "tinyshakespeare": 8}  # a longer count gains nothing on validation text
SMOOTHINGS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
LONGEST = 2.0**62  # contexts that one whole number can tell apart


class Floor(NamedTuple):
    """The score of a rule without training: nats per character, and the share it guesses."""

    nats: float
    accuracy: float


def floor_of(
    chances: Float[np.ndarray, "n time characters"], y: Int[np.ndarray, "n time"]
) -> Floor:
    """Measures a rule that gives each next character these chances."""
    of_truth = np.take_along_axis(chances, y[..., None], -1)
    return Floor(float(-np.log(of_truth).mean()), float((chances.argmax(-1) == y).mean()))


def measure_counts(parts: Parts, characters: int, orders: Sequence[int] = (1, 2, 3)) -> list[Floor]:
    """Measures counts of unigrams, bigrams, trigrams, ... of the training text on the test text.

    A count of n characters is smoothed by that of n - 1: `(count + 2 p) / (total + 2)`, with the
    shorter count's chance p. At the beginning of a window, where fewer characters are known, the
    shorter count answers, so that the rule sees what a model sees.

    Args:
        parts: The text.
        characters: How many different ones there are.
        orders: The lengths to count, in ascending order.

    Returns:
        A floor for each of `orders`.

    Raises:
        ValueError: A length at which contexts can no longer be told apart by one whole number.
    """
    (seen, wanted), longest = parts.test, max(orders)
    counts = _counts(parts.train, seen, characters, longest)
    floors = [floor_of(each, wanted) for each in _smooth(counts, seen, characters, SMOOTHING)]
    return [floors[order - 1] for order in orders]


def language_floors(dataset: str, parts: Parts) -> dict[str, float]:
    """Counts a text in several lengths, each under a name: the share of the test text it guesses.

    Args:
        dataset: A text of `bionet.datasets.text.CHARACTERS`.
        parts: That text.

    Returns:
        Counts of one to four characters, the count up to `LENGTHS` whose length and smoothing
        validation text has chosen, and of the grammar what who knows it guesses.
    """
    characters, longest = CHARACTERS[dataset], LENGTHS[dataset]
    names = ("most frequent character", "bigram", "trigram", "count of four characters")
    floors = measure_counts(parts, characters, (1, 2, 3, 4))
    found = {name: floor.accuracy for name, floor in zip(names, floors, strict=True)}
    best = best_count(parts, characters, longest)
    found[f"best count of up to {longest} characters"] = best.floor.accuracy
    if dataset == "grammar":
        optimum = floor_of(grammar_optimum(parts.test.x), parts.test.y)
        found["who knows the grammar (optimum)"] = optimum.accuracy
    return found


class Count(NamedTuple):
    """A count that validation text has chosen, and what it reaches on the test text."""

    order: int
    smoothing: float
    floor: Floor


def best_count(
    parts: Parts, characters: int, longest: int, *, by: Literal["accuracy", "nats"] = "accuracy"
) -> Count:
    """Counts up to `longest` characters, and takes what does best on the validation text.

    Args:
        parts: The text, with a validation part.
        characters: How many different ones there are.
        longest: The longest count to try, with each weight of the shorter one in `SMOOTHINGS`.
        by: What is best: the largest share that is guessed, or the fewest nats.

    Returns:
        The length, the weight of the shorter count, and the floor; among equals the shortest.

    Raises:
        ValueError: No validation text, or a length that is too long, as for `measure_counts`.
    """
    if parts.validation is None:
        raise ValueError("best_count: needs validation text to choose the length of a count on.")
    asked, wanted = parts.validation
    counts = list(_counts(parts.train, asked, characters, longest))
    found = {}
    for smoothing in SMOOTHINGS:
        for order, chances in enumerate(_smooth(counts, asked, characters, smoothing), 1):
            nats, accuracy = floor_of(chances, wanted)
            found[order, smoothing] = accuracy if by == "accuracy" else -nats
    order, smoothing = max(sorted(found), key=lambda each: found[each])
    test = parts.test
    counts = _counts(parts.train, test.x, characters, order)
    *_, chances = _smooth(counts, test.x, characters, smoothing)
    return Count(order, smoothing, floor_of(chances, test.y))


def _counts(
    train: Part, x: Int[np.ndarray, "n time"], characters: int, longest: int
) -> Iterator[Float32[np.ndarray, "n places characters"]]:
    """For counts of one, two, ... characters: how often each has followed what stands in `x`.

    A window that is too short for a count has no places for it.
    """
    if characters ** (longest - 1) > LONGEST:
        fits = 1 + int(np.log(LONGEST) / np.log(characters))
        raise ValueError(
            f"counts: {characters} characters can be counted {fits} at a time, got {longest}. Take "
            "shorter counts."
        )
    for length in range(longest):
        if min(train.x.shape[1], x.shape[1]) < length:
            yield np.zeros((len(x), 0, characters), np.float32)
        else:
            yield _followers(train, x, characters, length)


def _smooth(
    counts: Iterable[Float32[np.ndarray, "n places characters"]],
    x: Int[np.ndarray, "n time"],
    characters: int,
    smoothing: float,
) -> Iterator[Float[np.ndarray, "n time characters"]]:
    """The chances of the next character by each of the counts; the array is one and the same."""
    chances = np.full((*x.shape, characters), 1.0 / characters)
    for found in counts:
        places = slice(x.shape[1] - found.shape[1], None)
        total = found.sum(-1, keepdims=True)
        chances[:, places] = (found + smoothing * chances[:, places]) / (total + smoothing)
        yield chances


def _followers(
    train: Part, x: Int[np.ndarray, "n time"], characters: int, length: int
) -> Float32[np.ndarray, "n places characters"]:
    """Counts how often each character has followed the last `length` ones, if so many are known."""
    asked, before = _contexts(x, length, characters), _contexts(train.x, length, characters)
    known, which = np.unique(asked, return_inverse=True)
    place = np.minimum(np.searchsorted(known, before), len(known) - 1)
    there = known[place] == before
    pairs = place[there] * characters + train.y[:, -before.shape[1] :][there]
    counts = np.bincount(pairs, minlength=len(known) * characters).reshape(len(known), characters)
    return counts.astype(np.float32)[which.reshape(asked.shape)]


def _contexts(
    x: Int[np.ndarray, "n time"], length: int, characters: int
) -> Int[np.ndarray, "n places"]:
    """The last `length` characters as one number, at each place where so many are known."""
    places = x.shape[1] - max(length - 1, 0)
    context = np.zeros((len(x), places), np.int64)
    for offset in range(length):
        context = context * characters + x[:, offset : offset + places]
    return context
