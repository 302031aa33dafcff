"""Evaluation: each example counts once, whatever the chunks it is cut into."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.training.batches import ArrayBatches, Examples
from bionet.training.evaluate import CHUNK, evaluate
from bionet.training.problem import Problem

lengths: list[int] = []


def predict(model, x, key):
    lengths.append(len(x))
    return x * model


def problem(examples, predict=predict):
    return Problem(
        model=jnp.asarray(2.0),
        predict=predict,
        loss=lambda outputs, y: jnp.mean((outputs - y) ** 2),
        metric=lambda outputs, y: jnp.mean(outputs > y),
        train=ArrayBatches(examples, 1),
        metric_name="share above",
    )


@pytest.mark.parametrize("n", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
def test_it_is_the_mean_over_all_examples(n):
    rng = np.random.default_rng(n)
    x, y = (rng.integers(-3, 4, n).astype("float32") for _ in range(2))
    x[-3:] += 40  # what is left over after the whole chunks weighs most
    found = evaluate(problem(Examples(x, y)), jnp.asarray(2.0), Examples(x, y), jax.random.key(0))
    assert list(found) == ["loss", "share above"]
    assert found["loss"] == pytest.approx(np.mean((2.0 * x - y) ** 2), rel=1e-5)
    assert found["share above"] == pytest.approx(np.mean(2.0 * x > y), rel=1e-6)
    assert all(type(value) is float for value in found.values())


def test_no_more_than_a_chunk_is_answered_at_a_time():
    lengths.clear()
    examples = Examples(np.zeros(2 * CHUNK + 7), np.zeros(2 * CHUNK + 7))
    evaluate(problem(examples), jnp.asarray(2.0), examples, jax.random.key(0))
    assert set(lengths) == {CHUNK, 7}


def test_it_judges_the_model_that_is_given_and_compiles_once():
    examples = Examples(np.ones(5), np.ones(5))
    asked = problem(examples)
    lengths.clear()
    found = [
        evaluate(asked, jnp.asarray(scale), examples, jax.random.key(seed))["loss"]
        for seed, scale in enumerate((1.0, 3.0, 5.0))
    ]
    assert found == [0.0, 4.0, 16.0]
    assert lengths == [5]


def test_each_chunk_has_randomness_of_its_own():
    def noisy(model, x, key):
        return jnp.full(len(x), jax.random.normal(key))

    examples = Examples(np.zeros(2 * CHUNK + 1), np.zeros(2 * CHUNK + 1))
    asked = replace(
        problem(examples, noisy),
        loss=lambda outputs, y: outputs.mean(),
        metric=lambda outputs, y: (outputs**2).mean(),
    )
    found = evaluate(asked, jnp.asarray(1.0), examples, jax.random.key(0))
    # With one draw for all chunks, the second moment would be the square of the first.
    assert found["share above"] > found["loss"] ** 2 + 1e-3
