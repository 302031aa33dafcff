"""Text as character ids: a play, and a grammar that asks for a memory.

A part holds windows of equal length, and its targets are the same windows one character later.
Tiny Shakespeare is read from a file: its first 90 % is for training, its last 10 % is the test,
and validation text is cut from the end of the training text. The grammar is drawn and needs no
file: nested brackets of several kinds, with fillers behind each, so that the bracket to be
closed is out of sight of bigrams and trigrams. A count of four characters sees the last bracket,
and one of more the brackets before it; `bionet.datasets.counts` says what they reach, which is the
floor of every model here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bionet._core.names import unknown
from bionet.datasets.parts import Part, Parts
from bionet.datasets.readers import decode_text
from bionet.datasets.sources import Source, load_file
from bionet.datasets.splits import check_seed, whole_number

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Int32

TINYSHAKESPEARE = Source(
    title="Tiny Shakespeare",
    folder="tinyshakespeare",
    base_url=(
        "https://raw.githubusercontent.com/karpathy/char-rnn/"
        "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/"
    ),
    sha256={"input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"},
    ending="",
)

LETTERS = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The characters of Tiny Shakespeare, in the order of their ids."""

BRACKETS = "([{<)]}>."
"""The characters of the grammar, in the order of their ids: opening, closing, filler."""

CHARACTERS = {"grammar": len(BRACKETS), "tinyshakespeare": len(LETTERS)}
"""How many different characters each text has."""

_KINDS = 4
_FILLER = 2 * _KINDS
_DEEPEST = 3


def read_text(dataset: str, seed: int, *, window: int, sequences: int) -> Parts:
    """Takes one of the texts of `CHARACTERS`, in windows that each begin anew.

    Args:
        dataset: "tinyshakespeare", whose split is the same for all seeds, or "grammar".
        seed: What the grammar is drawn from.
        window: Characters per window.
        sequences: How many windows of the grammar are for training.

    Raises:
        ValueError: Another text; the nearest name is told.
    """
    if dataset == "grammar":
        return make_grammar(seed, window=window, train=sequences)
    if dataset == "tinyshakespeare":
        return tinyshakespeare(window=window)
    raise ValueError(unknown("text", dataset, CHARACTERS))


def tinyshakespeare(
    *,
    window: int = 128,
    validation: int = 50_000,
    download: bool = True,
    base_url: str | None = None,
) -> Parts:
    """1.1 million characters of Shakespeare's plays, in windows that do not overlap.

    The file `input.txt` is taken from `$BIONET_DATA/tinyshakespeare/` or the user's cache, or
    downloaded (1.1 MB) into the cache; its content is checked each time.

    Args:
        window: Characters per window.
        validation: How many characters to cut from the end of the training text; 0 for none.
        download: Whether the file is downloaded where it is absent.
        base_url: The folder to download from, for a mirror of your own.

    Returns:
        Windows of ids into `LETTERS`, and the same one character later.

    Raises:
        DataError: The file is altered or foreign, or absent and not to be had.
        ModuleNotFoundError: The file is absent, and pooch, which downloads, is not installed.
        TypeError: A number that is no whole number.
        ValueError: A part that is too short for a single window.

    References:
        A. Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks", 2015.

    Example:
        >>> tinyshakespeare(window=64).train.x.shape  # doctest: +SKIP
        (14903, 64)
    """
    text = load_file(
        TINYSHAKESPEARE, "input.txt", decode_text, download=download, base_url=base_url
    )
    ids = encode(text, LETTERS)
    cut = len(ids) * 9 // 10
    kept = cut - whole_number("validation", validation)
    if validation < 0 or kept < 1:
        raise ValueError(f"validation must be 0 to {cut - 1} characters, got {validation}.")
    return Parts(
        train=windows(ids[:kept], window),
        validation=windows(ids[kept:cut], window) if validation else None,
        test=windows(ids[cut:], window),
        name="tinyshakespeare",
    )


def make_grammar(
    seed: int,
    *,
    window: int = 64,
    fillers: int = 2,
    train: int = 1_000,
    validation: int = 200,
    test: int = 500,
) -> Parts:
    """Draws sequences of nested brackets of four kinds, with fillers behind each bracket.

    A bracket opens, of a kind drawn with equal chances, where none is open, and closes the last
    open one where three are open; otherwise it does the one or the other, with equal chances.
    Which kind may close is known from the past alone, and lies `fillers + 1` characters back
    or further. Every window is a sequence of its own and begins with nothing open.

    Args:
        seed: A whole number from 0; the same seed gives the same sequences.
        window: Characters per sequence.
        fillers: How many fillers stand behind each bracket.
        train: How many training sequences.
        validation: How many validation sequences; with 0, `validation` is None.
        test: How many test sequences.

    Returns:
        Windows of ids into `BRACKETS`, and the same one character later.

    Raises:
        TypeError: A number that is no whole number.
        ValueError: A number outside its range.

    Example:
        >>> "".join(BRACKETS[i] for i in make_grammar(0).train.x[0, :20])  # doctest: +SKIP
        '(..[..]..<..>..)..[..'
    """
    least = {"window": 1, "fillers": 0, "train": 1, "validation": 0, "test": 1}
    given = (window, fillers, train, validation, test)
    for (name, bound), value in zip(least.items(), given, strict=True):
        if whole_number(name, value) < bound:
            raise ValueError(f"{name} must be {bound} or more, got {value}.")
    if window <= fillers:
        raise ValueError(
            f"window must be above fillers, {fillers}, got {window}: no target would be a bracket."
        )
    streams = np.random.SeedSequence(check_seed(seed)).spawn(3)

    def part(stream: np.random.SeedSequence, count: int) -> Part:
        ids = _draw_nested(np.random.default_rng(stream), count, window + 1, fillers)
        return Part(ids[:, :-1], ids[:, 1:])

    return Parts(
        train=part(streams[0], train),
        validation=part(streams[1], validation) if validation else None,
        test=part(streams[2], test),
        name=f"grammar, windows of {window}",
    )


def _draw_nested(
    rng: np.random.Generator, count: int, length: int, fillers: int
) -> Int32[np.ndarray, "count length"]:
    ids = np.full((count, length), _FILLER, np.int32)
    opened = np.zeros((count, _DEEPEST), np.int32)
    depth, rows = np.zeros(count, int), np.arange(count)
    for t in range(0, length, fillers + 1):
        coin, kind = rng.random(count) < 0.5, rng.integers(0, _KINDS, count)
        opens = (depth == 0) | (coin & (depth < _DEEPEST))
        last = opened[rows, np.maximum(depth - 1, 0)]
        ids[:, t] = np.where(opens, kind, last + _KINDS)
        opened[rows[opens], depth[opens]] = kind[opens]
        depth += np.where(opens, 1, -1)
    return ids


def grammar_optimum(
    x: Int[np.ndarray, "n time"], *, fillers: int = 2
) -> Float[np.ndarray, "n time characters"]:
    """The true chances of each next character, for who knows the grammar and what is open.

    Args:
        x: Sequences of `make_grammar`.
        fillers: As they were made with.
    """
    chances = np.zeros((*x.shape, len(BRACKETS)))
    for row, ids in enumerate(x):
        open_kinds: list[int] = []
        for t, id in enumerate(ids):
            if id < _KINDS:
                open_kinds.append(int(id))
            elif id < _FILLER:
                open_kinds.pop()
            if (t + 1) % (fillers + 1):
                chances[row, t, _FILLER] = 1.0
                continue
            opens = {0: 1.0, _DEEPEST: 0.0}.get(len(open_kinds), 0.5)
            chances[row, t, :_KINDS] = opens / _KINDS
            if open_kinds:
                chances[row, t, open_kinds[-1] + _KINDS] = 1.0 - opens
    return chances


def encode(text: str, characters: str) -> Int32[np.ndarray, " n"]:
    """Each character of a text by its place in `characters`.

    Raises:
        ValueError: A character that is not among them.

    Example:
        >>> encode("cab", "abc")
        array([2, 0, 1], dtype=int32)
    """
    places = {character: place for place, character in enumerate(characters)}
    if strange := sorted(set(text) - set(characters)):
        raise ValueError(
            f"The text holds the character {strange[0]!r}, which is none of the "
            f"{len(characters)} that it may hold."
        )
    return np.array([places[character] for character in text], np.int32)


def windows(ids: Int32[np.ndarray, " n"], window: int) -> Part:
    """Cuts a text into windows that do not overlap; what is left over at its end is dropped.

    Raises:
        ValueError: A window without a character, or a text without a window.
    """
    count = (len(ids) - 1) // window if whole_number("window", window) > 0 else 0
    if count < 1:
        raise ValueError(
            f"window must be 1 to {len(ids) - 1} for a text of {len(ids)} characters, got {window}."
        )
    x, y = (ids[start : start + count * window].reshape(count, window) for start in (0, 1))
    return Part(x, y)
