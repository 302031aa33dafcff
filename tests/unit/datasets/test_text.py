"""Text comes in windows one character apart."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bionet.datasets import DataError
from bionet.datasets.counts import measure_counts
from bionet.datasets.readers import decode_text
from bionet.datasets.sources import VARIABLE
from bionet.datasets.text import (
    BRACKETS,
    LETTERS,
    encode,
    make_grammar,
    read_text,
    tinyshakespeare,
    windows,
)


def test_targets_are_the_next_characters() -> None:
    part = windows(np.arange(11, dtype=np.int32), 5)
    np.testing.assert_array_equal(part.x, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]])
    np.testing.assert_array_equal(part.y, part.x + 1)


@pytest.mark.parametrize("window", [0, 11, -1])
def test_a_window_that_does_not_fit_is_refused(window: int) -> None:
    told = f"window must be 1 to 10 for a text of 11 characters, got {window}."
    with pytest.raises(ValueError, match=re.escape(told)):
        windows(np.arange(11, dtype=np.int32), window)


def test_a_strange_character_is_named() -> None:
    with pytest.raises(ValueError, match="holds the character '#', which is none of the 65"):
        encode("a#", LETTERS)


def test_altered_text_is_refused() -> None:
    with pytest.raises(DataError, match="here has been altered, or is another data set"):
        decode_text(b"abc", origin="here", sha256="0" * 64)
    with pytest.raises(DataError, match="here is no ASCII text"):
        decode_text(b"ab\xff", origin="here")


def test_brackets_of_the_grammar_match() -> None:
    pairs = dict(zip(")]}>", "([{<", strict=True))
    for ids in make_grammar(3, window=90, train=50).train.x:
        text = "".join(BRACKETS[i] for i in ids)
        assert re.fullmatch(r"([^.]\.\.)+", text)
        still_open: list[str] = []
        for character in text.replace(".", ""):
            if character in pairs:
                assert still_open.pop() == pairs[character]
            else:
                still_open.append(character)
            assert len(still_open) <= 3


def test_a_seed_gives_one_grammar_and_each_part_its_own() -> None:
    first, again, other = (make_grammar(seed, train=30) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.train.x, again.train.x)
    assert not np.array_equal(first.train.x, other.train.x)
    assert not np.array_equal(first.train.x, first.test.x[:30])
    assert make_grammar(1, train=5, validation=0).validation is None
    with pytest.raises(ValueError, match="fillers must be 0 or more, got -1"):
        make_grammar(0, fillers=-1)
    with pytest.raises(ValueError, match="window must be above fillers, 3, got 3: no target"):
        make_grammar(0, window=3, fillers=3)
    shortest = make_grammar(0, window=4, fillers=3).train.y
    assert (shortest < len(BRACKETS) - 1).any()  # A target that is no filler.


def test_a_text_is_read_by_its_name() -> None:
    task, same = (
        read_text("grammar", 3, window=10, sequences=7),
        make_grammar(3, window=10, train=7),
    )
    np.testing.assert_array_equal(task.train.x, same.train.x)
    # The window is part of the name, so that two tasks of the one grammar are told apart.
    assert (task.name, make_grammar(0, window=32).name) == (
        "grammar, windows of 10",
        "grammar, windows of 32",
    )
    with pytest.raises(ValueError, match=re.escape("No text is named 'gramar'. Did you mean")):
        read_text("gramar", 0, window=10, sequences=7)


@pytest.mark.slow
def test_shakespeare_is_cut_in_order_and_has_known_floors(real_data: Path) -> None:
    if not (real_data / "tinyshakespeare").is_dir():
        pytest.skip(f"needs Tiny Shakespeare under {VARIABLE}")
    parts = tinyshakespeare(window=100, validation=10_000, download=False)
    assert parts.validation is not None
    assert [len(part.x) for part in (parts.train, parts.validation, parts.test)] == [9938, 99, 1115]
    assert "".join(LETTERS[i] for i in parts.train.x[0, :13]) == "First Citizen"
    floors = measure_counts(parts, len(LETTERS), (1, 2))
    assert [floor.nats for floor in floors] == pytest.approx([3.35, 2.51], abs=0.02)
    with pytest.raises(ValueError, match="validation must be 0 to"):
        tinyshakespeare(validation=2_000_000, download=False)
