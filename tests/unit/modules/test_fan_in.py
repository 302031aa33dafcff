"""Who listens to whom: how many, whom, and that no dense matrix is ever made for it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.fan_in import draw_senders, fan_in_of, without_self

KEY = jax.random.key(0)


@pytest.mark.slow
def test_every_set_of_senders_is_as_likely_as_every_other():
    drawn = np.asarray(draw_senders(KEY, 20_000, 5, 3))
    sets, counts = np.unique(drawn, axis=0, return_counts=True)
    assert [tuple(s) for s in sets] == list(itertools.combinations(range(5), 3))
    # Ten sets, 2,000 each, and a standard deviation of 42.
    assert abs(counts - 2000).max() < 4 * 42


def test_all_senders_is_everyone():
    assert np.array_equal(draw_senders(KEY, 4, 6, 6), np.tile(np.arange(6), (4, 1)))


@pytest.mark.slow
def test_units_draw_on_their_own_and_keys_differ():
    drawn = np.asarray(draw_senders(KEY, 300, 1000, 20))
    assert len(np.unique(drawn, axis=0)) == 300
    assert not np.array_equal(drawn, draw_senders(jax.random.key(1), 300, 1000, 20))
    assert np.array_equal(drawn, draw_senders(jax.random.PRNGKey(0), 300, 1000, 20))


def test_drawing_needs_memory_for_the_connections_alone():
    units, senders, fan_in = 3000, 3000, 8
    memory = draw_senders.lower(KEY, units, senders, fan_in).compile().memory_analysis()
    needed = memory.temp_size_in_bytes + memory.output_size_in_bytes
    assert needed < units * senders / 8  # a bit per pair, the smallest mask that there is


def test_without_itself_a_unit_reaches_all_the_others():
    # Unit 2 of four draws among three others: 0, 1 and 2, which stands for 3.
    others = without_self(jnp.tile(jnp.arange(3), (4, 1)))
    assert others.tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]


@pytest.mark.parametrize(
    ("senders", "sparsity", "fan_in"),
    [
        (784, 0.9, 78),
        (1999, 0.99, 20),
        (10, 0.0, 10),
        (10, 0.999, 1),  # a unit always hears someone
        (10, np.float32(0.5), 5),
        (10, 0, 10),
    ],
)
def test_the_fan_in_of_a_sparsity(senders, sparsity, fan_in):
    assert fan_in_of("Mine", senders, None, sparsity) == fan_in


@pytest.mark.parametrize("given", [(None, None), (3, 0.5)])
def test_either_fan_in_or_sparsity(given, says):
    sentence = (
        f"Mine: needs either fan_in or sparsity, got fan_in={given[0]!r} and "
        f"sparsity={given[1]!r}. Give one of them: fan_in=50, or sparsity=0.9."
    )
    with says(ValueError, sentence):
        fan_in_of("Mine", 10, *given)


@pytest.mark.parametrize("bad", [0, -1, 2.0, "3"])
def test_a_fan_in_is_a_positive_int(bad, says):
    with says(ValueError, f"Mine: fan_in needs a positive int, got {bad!r}."):
        fan_in_of("Mine", 10, bad, None)


def test_a_fan_in_is_no_larger_than_the_sender(says):
    assert fan_in_of("Mine", 10, 10, None) == 10
    sentence = "Mine: fan_in needs at most 10, the number of units that a unit can listen to, got"
    with says(ValueError, f"{sentence} 11."):
        fan_in_of("Mine", 10, 11, None)


@pytest.mark.parametrize("bad", [1, 1.0, -0.1, 90, float("nan"), "0.9"])
def test_a_sparsity_is_a_share_below_one(bad, says):
    with says(ValueError, "Mine: sparsity needs a number from 0 to below 1, the share of"):
        fan_in_of("Mine", 10, None, bad)


def test_a_unit_alone_has_no_one_to_listen_to(says):
    for given in ((1, None), (None, 0.5)):
        with says(ValueError, "Mine: needs other units to listen to, got none."):
            fan_in_of("Mine", 0, *given)
