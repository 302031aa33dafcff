"""Targets by class in each code that people have: all codes are read alike, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.rules import class_margin, cross_entropy, margin_hinge, margin_perceptron, softmax_error
from bionet.rules.targets import class_chances, class_numbers, unit_signs

RNG = np.random.default_rng(0)
LABELS = np.array([2, 0, 1, 1, 2])
SCORES = RNG.normal(size=(5, 3)).astype(np.float32)
ONES = np.eye(3, dtype=np.float32)[LABELS]
CODES = {
    "numbers": LABELS,
    "signs": 2 * ONES - 1,
    "zero-one": ONES,
    "zero-one in integers": ONES.astype(np.int32),
    "one batch of a single class in numbers": np.full(5, 1),
}


def chances_of(y):
    return np.eye(3)[y] if y.ndim == 1 else np.where(y > 0, 1.0, 0.0)


def log_softmax(scores):
    scores = scores.astype(np.float64)
    return scores - np.log(np.exp(scores).sum(-1, keepdims=True))


@pytest.mark.parametrize("code", CODES)
class TestEachCode:
    def test_of_the_cross_entropy(self, code):
        y = CODES[code]
        expected = -(chances_of(y) * log_softmax(SCORES)).sum(1).mean()
        found = cross_entropy(jnp.asarray(y), jnp.asarray(SCORES))
        assert float(found) == pytest.approx(expected, rel=1e-6)

    def test_of_the_softmax_error(self, code, says):
        """It is learned from, and says which codes it takes; the others would be misread."""
        y = CODES[code]
        if code.startswith("zero-one"):
            with says(ValueError, "softmax_error: targets need to be -1 or +1, got 0 and 1."):
                softmax_error(jnp.asarray(y), jnp.asarray(SCORES))
            return
        expected = chances_of(y) - np.exp(log_softmax(SCORES))
        found = softmax_error(jnp.asarray(y), jnp.asarray(SCORES))
        np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_of_the_hinge(self, code):
        y = CODES[code]
        expected = np.maximum(0.5 - (2 * chances_of(y) - 1) * SCORES, 0).mean()
        found = margin_hinge(jnp.asarray(y), jnp.asarray(SCORES), 0.5)
        assert float(found) == pytest.approx(expected, rel=1e-6)

    def test_of_the_class_margin(self, code):
        on = chances_of(CODES[code]) == 1
        others = np.where(on, -np.inf, SCORES).max(1)
        found = class_margin(jnp.asarray(CODES[code]), jnp.asarray(SCORES))
        np.testing.assert_allclose(found, SCORES[on] - others, rtol=1e-6)

    def test_of_the_class_itself(self, code):
        found = class_numbers("here", jnp.asarray(CODES[code]), jnp.asarray(SCORES))
        assert np.array_equal(found, chances_of(CODES[code]).argmax(1))


@pytest.mark.parametrize("code", ["numbers", "signs", "bools"])
def test_what_a_compiled_program_knows_without_the_values(code):
    y = jnp.asarray({**CODES, "bools": ONES > 0}[code])
    for loss in (cross_entropy, margin_hinge):
        found = jax.jit(loss)(y, jnp.asarray(SCORES))
        assert float(found) == pytest.approx(float(loss(y, jnp.asarray(SCORES))), rel=1e-6)


def test_smoothed_labels_are_the_chances_that_they_say():
    soft = (0.9 * ONES + 0.1 / 3).astype(np.float32)
    expected = -(soft * log_softmax(SCORES)).sum(1).mean()
    assert float(cross_entropy(jnp.asarray(soft), jnp.asarray(SCORES))) == pytest.approx(expected)
    margin = class_margin(jnp.asarray(soft), jnp.asarray(SCORES))
    assert np.array_equal(margin, class_margin(jnp.asarray(ONES), jnp.asarray(SCORES)))


def test_signs_go_through_bit_by_bit():
    """Several +1 in a row, all of them, and none: what the rule made of them it still makes."""
    y = jnp.array([[1.0, 1.0, -1.0], [1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]])
    scores = jnp.asarray(SCORES[:3])
    assert np.array_equal(unit_signs("here", y, scores), y)
    assert np.array_equal(class_chances("here", y, scores), (y + 1) / 2)


def test_a_row_of_time_steps_has_a_class_number_each():
    scores = jnp.asarray(RNG.normal(size=(2, 4, 3)), jnp.float32)
    y = jnp.asarray(RNG.integers(0, 3, (2, 4)))
    expected = -np.take_along_axis(log_softmax(np.asarray(scores)), np.asarray(y)[..., None], -1)
    assert float(cross_entropy(y, scores)) == pytest.approx(expected.mean(), rel=1e-6)


class TestRefusals:
    @pytest.mark.parametrize(
        "y", [np.ones(5, np.float32), np.ones((5, 1), int), np.ones((4,), int), np.ones((5, 2))]
    )
    @pytest.mark.parametrize("read", [class_chances, unit_signs, class_numbers])
    def test_shapes_that_are_neither_rows_nor_class_numbers(self, says, read, y):
        sentence = "here: needs a row of targets for each row of scores, or class numbers as"
        with says(ValueError, sentence):
            read("here", jnp.asarray(y), jnp.asarray(SCORES))

    def test_the_class_of_a_single_score(self, says):
        """Its highest score is always at its highest target, so every answer would be right."""
        with says(ValueError, "here: needs scores for two classes or more, got shape (5, 1)"):
            class_numbers("here", jnp.ones((5, 1)), jnp.ones((5, 1)))

    def test_zeros_and_ones_for_the_margin_perceptron(self, says):
        """A zero moves no weight, so a unit would never learn when to be silent."""
        x = jnp.ones((5, 2))
        with says(ValueError, "margin perceptron: targets need to be -1 or +1, got 0 and 1."):
            margin_perceptron(x, jnp.asarray(ONES), jnp.asarray(SCORES), 0.0)
