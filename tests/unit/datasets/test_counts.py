"""Counting characters gets as far as a count in plain Python, and its length is chosen honestly."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from bionet.datasets import Part, Parts
from bionet.datasets.counts import best_count, floor_of, language_floors, measure_counts
from bionet.datasets.text import BRACKETS, grammar_optimum, make_grammar, windows


@pytest.fixture(scope="module")
def grammar() -> Parts:
    return make_grammar(0, window=64, train=512)


def counted_by_hand(train: Part, test: Part, characters: int, order: int) -> tuple[float, float]:
    """Nats and guesses of a smoothed count, character by character, with dictionaries."""
    counts: Counter[tuple[int, ...]] = Counter()
    for x, y in zip(train.x.tolist(), train.y.tolist(), strict=True):
        for length in range(order):
            for t in range(max(length - 1, 0), len(x)):
                counts[(*x[t + 1 - length : t + 1], y[t])] += 1
    nats, right, places = 0.0, 0, 0
    for x, y in zip(test.x.tolist(), test.y.tolist(), strict=True):
        for t in range(len(x)):
            chances = [1 / characters] * characters
            for length in range(min(order, t + 2)):
                context = tuple(x[t + 1 - length : t + 1])
                found = [counts[(*context, each)] for each in range(characters)]
                chances = [
                    (count + 2 * chance) / (sum(found) + 2)
                    for count, chance in zip(found, chances, strict=True)
                ]
            nats -= math.log(chances[y[t]])
            right += chances.index(max(chances)) == y[t]
            places += 1
    return nats / places, right / places


def test_the_optimum_gives_true_chances_and_is_above_counting(grammar: Parts) -> None:
    task = grammar
    chances = grammar_optimum(task.test.x)
    np.testing.assert_allclose(chances.sum(-1), 1.0)
    best = floor_of(chances, task.test.y)
    # No bracket has more than two things to hesitate between, so the optimum is finite.
    assert math.isfinite(best.nats)
    unigram, bigram, trigram = measure_counts(task, len(BRACKETS))
    assert unigram.nats > bigram.nats > trigram.nats > best.nats + 0.2
    assert trigram.accuracy < best.accuracy - 0.1


def test_floors_of_a_text_worked_by_hand() -> None:
    # abab...: a follows b always. Bigrams know it, up to their smoothing; unigrams are at half.
    ids = np.arange(401, dtype=np.int32) % 2
    part = windows(ids, 20)
    unigram, bigram = measure_counts(Parts(part, None, part, "turns"), 2, (1, 2))
    assert unigram.nats == pytest.approx(math.log(2), abs=1e-6)
    assert bigram.accuracy == 1.0
    assert bigram.nats == pytest.approx(-math.log(201 / 202), abs=1e-9)


def test_a_trigram_sees_no_further_than_its_window() -> None:
    part = Part(np.zeros((3, 1), np.int32), np.ones((3, 1), np.int32))
    bigram, trigram = measure_counts(Parts(part, None, part, "short"), 2, (2, 3))
    assert bigram == trigram


@pytest.mark.parametrize("order", [1, 2, 3, 4, 6])
def test_counts_are_those_of_plain_python(order: int) -> None:
    rng = np.random.default_rng(order)
    train, test = (windows(rng.integers(0, 3, 161).astype(np.int32), 8) for _ in range(2))
    (floor,) = measure_counts(Parts(train, None, test, "drawn"), 3, (order,))
    assert floor == pytest.approx(counted_by_hand(train, test, 3, order), abs=1e-6)


def test_a_trigram_cannot_see_the_bracket_and_longer_counts_can(grammar: Parts) -> None:
    trigram, four = measure_counts(grammar, len(BRACKETS), (3, 4))
    longest = best_count(grammar, len(BRACKETS), 10)
    assert trigram.accuracy < 0.72
    assert four.accuracy > trigram.accuracy + 0.09
    # A closed pair hides the bracket before it from four characters, and not from ten.
    assert longest.order > 4
    assert longest.floor.accuracy > four.accuracy + 0.01


def test_length_and_smoothing_are_chosen_on_validation_text_alone(grammar: Parts) -> None:
    # Validation text of fillers alone: the shortest count is as good as any, whatever the test is.
    filler = np.full((3, 64), BRACKETS.index("."), np.int32)
    fillers = Parts(grammar.train, Part(filler, filler), grammar.test, "fillers")
    assert best_count(fillers, len(BRACKETS), 6).order == 1
    assert best_count(grammar, len(BRACKETS), 6).order >= 4


def test_the_fewest_nats_are_another_choice_than_the_most_guesses(grammar: Parts) -> None:
    guessed, sure = (best_count(grammar, len(BRACKETS), 10, by=by) for by in ("accuracy", "nats"))
    assert sure.floor.nats <= guessed.floor.nats


def test_what_cannot_be_counted_is_refused(grammar: Parts) -> None:
    with pytest.raises(ValueError, match="needs validation text"):
        best_count(Parts(grammar.train, None, grammar.test, "none"), len(BRACKETS), 3)
    with pytest.raises(ValueError, match="9 characters can be counted 20 at a time, got 21"):
        measure_counts(grammar, len(BRACKETS), (21,))


def test_floors_of_the_grammar_name_a_count_that_sees_the_bracket(grammar: Parts) -> None:
    floors = language_floors("grammar", grammar)
    assert next(iter(floors)) == "most frequent character"
    strongest = floors["best count of up to 16 characters"]
    assert floors["trigram"] < floors["count of four characters"] < strongest
    assert strongest < floors["who knows the grammar (optimum)"]
