"""Batches: each example where it belongs, fresh orders, and what is refused."""

import inspect
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.training.batches import (
    AbstractBatches,
    ArrayBatches,
    Examples,
    GeneratedBatches,
    StackedBatches,
)


def numbered(n):
    """Examples whose inputs and targets both tell their number."""
    return Examples(jnp.arange(n), -jnp.arange(n))


@jax.jit
def epoch(batches, key):
    """All batches of an epoch, made as `fit` makes them: under jit, in a scan."""
    plan = batches.plan(key)
    indices = jnp.arange(batches.num_batches)
    return jax.lax.scan(lambda carry, i: (carry, batches.batch(plan, i)), 0, indices)[1]


def test_batches_that_do_not_say_how_many_they_are_can_not_be_made():
    @final
    class Endless(AbstractBatches):
        def plan(self, key):
            return None

        def batch(self, plan, index):
            return ()

    with pytest.raises(TypeError, match="num_batches"):
        Endless()


class TestExamples:
    def test_it_counts_its_rows(self):
        assert len(Examples(np.zeros((4, 2)), np.ones(4))) == 4

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("part", ["x", "y"])
    def test_nan_and_infinity_are_refused_by_name(self, bad, part, says):
        parts = {"x": np.zeros((3, 2)), "y": np.zeros((3, 2))}
        parts[part][2, 1] = bad
        with says(ValueError, f"Examples: {part} holds NaN or infinity; clean the data first."):
            Examples(**parts)

    @pytest.mark.parametrize(
        ("x", "y", "shapes"),
        [
            (np.zeros((3, 2)), np.zeros(4), "(3, 2) and (4,)"),
            (np.zeros(()), np.zeros(1), "() and (1,)"),
            (np.zeros(1), np.zeros(()), "(1,) and ()"),
        ],
    )
    def test_rows_of_x_and_y_go_together(self, x, y, shapes, says):
        sentence = f"Examples: x and y need one row per example each, got shapes {shapes}."
        with says(ValueError, sentence):
            Examples(x, y)

    def test_no_examples_are_refused(self, says):
        with says(ValueError, "Examples: there are none; a split needs one example at least."):
            Examples(np.zeros((0, 2)), np.zeros(0))


class TestArrayBatches:
    def test_an_epoch_takes_each_example_once(self):
        batches = ArrayBatches(numbered(12), 4)
        x, y = epoch(batches, jax.random.key(0))
        assert x.shape == (3, 4)
        assert sorted(x.ravel().tolist()) == list(range(12))
        assert np.array_equal(y, -x)

    def test_what_is_left_over_waits_for_another_epoch(self):
        batches = ArrayBatches(numbered(11), 4)
        assert batches.num_batches == 2
        epochs = [epoch(batches, jax.random.key(seed))[0].ravel().tolist() for seed in range(12)]
        assert all(len(set(seen)) == 8 for seen in epochs)
        assert set().union(*epochs) == set(range(11))

    def test_the_order_belongs_to_the_key(self):
        batches = ArrayBatches(numbered(12), 4)
        first, again, other = (epoch(batches, jax.random.key(seed))[0] for seed in (0, 0, 1))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)
        assert not np.array_equal(first.ravel(), np.arange(12))

    def test_without_shuffling_the_order_is_that_of_the_data(self):
        batches = ArrayBatches(numbered(11), 4, shuffle=False)
        x, _ = epoch(batches, jax.random.key(3))
        assert np.array_equal(x, np.arange(8).reshape(2, 4))

    @pytest.mark.parametrize("size", [0, -1, 6])
    def test_a_batch_size_that_does_not_fit_is_refused(self, size, says):
        sentence = f"ArrayBatches: batch_size needs 1 to 5, the number of examples, got {size}."
        with says(ValueError, sentence):
            ArrayBatches(numbered(5), size)

    def test_one_batch_may_hold_everything(self):
        x, _ = epoch(ArrayBatches(numbered(5), 5), jax.random.key(0))
        assert sorted(x.ravel().tolist()) == list(range(5))


class TestGeneratedBatches:
    def test_no_batch_comes_twice(self):
        batches = GeneratedBatches(
            make=lambda key: (jax.random.normal(key, (2,)), jnp.ones(2)), num_batches=3
        )
        x, y = epoch(batches, jax.random.key(0))
        assert x.shape == y.shape == (3, 2)
        other = epoch(batches, jax.random.key(1))[0]
        assert len(np.unique(np.concatenate([x, other]))) == 12
        assert np.array_equal(x, epoch(batches, jax.random.key(0))[0])

    def test_its_arguments_come_in_the_order_of_its_docstring(self):
        assert list(inspect.signature(GeneratedBatches).parameters) == ["make", "num_batches"]

    @pytest.mark.parametrize("count", [0, -1])
    def test_an_epoch_needs_a_batch(self, count):
        with pytest.raises(ValueError, match=rf"num_batches needs 1 or more, got {count}"):
            GeneratedBatches(make=lambda key: (jnp.ones(2), jnp.ones(2)), num_batches=count)


class TestStackedBatches:
    def loader(self, sizes=(4, 4, 4)):
        """A generator, as data loaders are: it can be read once."""
        start = 0
        for size in sizes:
            yield np.arange(start, start + size), [-number for number in range(start, start + size)]
            start += size

    def test_the_cuts_of_the_loader_are_kept(self):
        batches = StackedBatches.from_iterable(self.loader())
        assert batches.num_batches == 3
        x, y = epoch(batches, jax.random.key(1))
        assert sorted(x.tolist()) == np.arange(12).reshape(3, 4).tolist()
        assert np.array_equal(y, -x)

    def test_the_order_of_the_batches_belongs_to_the_key(self):
        batches = StackedBatches.from_iterable(self.loader((1,) * 20))
        first, again, other = (epoch(batches, jax.random.key(seed))[0] for seed in (0, 0, 1))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_without_shuffling_the_order_is_that_of_the_loader(self):
        batches = StackedBatches.from_iterable(self.loader(), shuffle=False)
        assert np.array_equal(epoch(batches, jax.random.key(1))[0], np.arange(12).reshape(3, 4))

    def test_a_loader_may_refill_one_buffer(self):
        def loader():
            x, y = np.zeros(2, np.float32), np.zeros(2, np.int32)
            for number in range(5):
                x[:], y[:] = number, -number
                yield x, y

        x, y = epoch(StackedBatches.from_iterable(loader(), shuffle=False), jax.random.key(0))
        assert x[:, 0].tolist() == [0, 1, 2, 3, 4]
        assert y[:, 0].tolist() == [0, -1, -2, -3, -4]

    def test_parts_of_numpy_are_copied(self):
        part = np.arange(4.0, dtype=np.float32).reshape(2, 2)
        batches = StackedBatches((part,), shuffle=False)
        part[:] = np.nan
        assert epoch(batches, jax.random.key(0))[0].tolist() == [[0, 1], [2, 3]]

    def test_an_incomplete_batch_is_refused(self, says):
        sentence = (
            "StackedBatches: needs batches of one shape, got 2 different ones among 3 batches; "
            "drop the incomplete last one."
        )
        with says(ValueError, sentence):
            StackedBatches.from_iterable(self.loader((4, 4, 3)))

    def test_an_empty_loader_is_refused(self):
        with pytest.raises(ValueError, match="StackedBatches: .* 0 batches"):
            StackedBatches.from_iterable([])
