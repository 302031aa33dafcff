"""The one-line rules are those of scikit-learn, and what they choose they choose on validation."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from bionet.datasets import Split, Splits, load
from bionet.datasets.floors import classification_floors, nearest_neighbour, ridge_on_inputs

linear_model = pytest.importorskip("sklearn.linear_model")
neighbors = pytest.importorskip("sklearn.neighbors")


@pytest.fixture(scope="module")
def digits() -> Splits:
    return load("digits", validation=237)


def test_the_nearest_neighbour_is_that_of_scikit_learn(digits: Splits) -> None:
    found = nearest_neighbour(digits.train, digits.test.x)
    known = neighbors.KNeighborsClassifier(1).fit(digits.train.x, digits.train.y)
    np.testing.assert_array_equal(found, known.predict(digits.test.x))
    assert np.mean(found == digits.test.y) == pytest.approx(0.986, abs=5e-4)


def test_a_tie_goes_to_the_first_sample_and_shapes_are_flattened() -> None:
    train = Split(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), [4, 2])
    assert nearest_neighbour(train, np.zeros((1, 1, 2))).tolist() == [4]
    told = "nearest_neighbour: samples need the shape (1, 2) of the training samples, got (2,)."
    with pytest.raises(ValueError, match=re.escape(told)):
        nearest_neighbour(train, np.zeros((1, 2)))


def test_ridge_on_the_inputs_is_that_of_scikit_learn(digits: Splits) -> None:
    train, held_out, test = digits.train, digits.validation, digits.test
    assert held_out is not None
    targets = 2.0 * np.eye(10)[train.y] - 1.0
    fits = [
        linear_model.Ridge(alpha=10.0**power).fit(train.x.astype(float), targets)
        for power in range(-2, 6)
    ]
    shares = [np.mean(fit.predict(held_out.x).argmax(1) == held_out.y) for fit in fits]
    best = fits[int(np.argmax(shares))]
    np.testing.assert_array_equal(ridge_on_inputs(digits), best.predict(test.x).argmax(1))


def test_the_penalty_is_chosen_on_validation_data_alone(digits: Splits) -> None:
    # Answers on other inputs follow the penalty, so another test split must not move them.
    turned = Split(digits.test.x, (digits.test.y + 1) % 10)
    other = dataclasses.replace(digits, test=turned)
    np.testing.assert_array_equal(ridge_on_inputs(digits), ridge_on_inputs(other))
    with pytest.raises(ValueError, match="needs a validation split"):
        ridge_on_inputs(dataclasses.replace(digits, validation=None))


def test_a_penalty_at_the_end_of_its_range_is_looked_for_beyond_it(digits: Splits) -> None:
    far = ridge_on_inputs(digits, penalties=(1e4, 1e5))
    assert np.mean(far == digits.test.y) == pytest.approx(
        np.mean(ridge_on_inputs(digits) == digits.test.y), abs=0.02
    )


def test_all_rules_are_told_and_a_smaller_store_is_named(digits: Splits) -> None:
    floors = classification_floors(digits)
    assert list(floors) == [
        "chance",
        "nearest class mean",
        "nearest neighbour",
        "ridge on the inputs",
    ]
    assert floors["nearest neighbour"] == max(floors.values())
    some = classification_floors(digits, neighbours=300)
    assert floors["nearest neighbour"] > some["nearest neighbour of 300"] > 0.9
