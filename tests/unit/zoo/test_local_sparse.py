"""The two ways in which the sparse recipe learns, and the published numbers."""

import math

import equinox as eqx
import jax
import numpy as np
import pytest

from bionet import zoo
from bionet.modules import (
    FrozenFullyConnected,
    FullyConnected,
    LearnedFeedback,
    SoftmaxReadout,
)
from bionet.training import ErrorPhase, TwoPhase
from bionet.zoo.recipes.classification_local_sparse import PUBLISHED

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def recipe():
    return zoo.get("classification-local-sparse")


@pytest.fixture(scope="module")
def published(recipe):
    return recipe.replace(**PUBLISHED)


def shapes(recipe):
    return eqx.filter_eval_shape(recipe.build, KEY).lmap


def test_the_default_feeds_errors_back(recipe):
    assert isinstance(recipe.build_method(), ErrorPhase)
    lmap = shapes(recipe)
    assert isinstance(lmap[1, 2], LearnedFeedback)
    assert isinstance(lmap[2, 1], SoftmaxReadout)


def test_the_published_set_up_feeds_labels_back(published):
    method, lmap = published.build_method(), shapes(published)
    assert isinstance(method, TwoPhase)
    assert (method.warmup, method.clamped, method.free) == (1, 5, 5)
    assert [float(number) for number in method.label_code] == pytest.approx([1.5, -1 / 3])
    assert isinstance(lmap[1, 2], FrozenFullyConnected)
    assert isinstance(lmap[2, 1], FullyConnected)


def test_the_published_numbers(published):
    config, method, lmap = published.config, published.build_method(), shapes(published)
    # 90 % of 784 pixels and 99 % of 1,999 other units are not listened to.
    assert lmap[1, 0].W.shape == (2000, round(0.1 * 784))
    assert lmap[1, 1].J.shape == (2000, round(0.01 * 1999))
    assert (config.batch_size, config.epochs, config.schedule) == (16, 20, "constant")
    rates = {edge: float(rate) for edge, rate in method.scales.rates.items()}
    assert rates == pytest.approx({(1, 0): 0.159, (1, 1): 0.058, (2, 1): 0.17})
    decays = {edge: float(decay) for edge, decay in method.scales.decays.items()}
    recurrent = 0.00006 * 0.058 * math.sqrt(0.1) / 0.1 / math.sqrt(2000)
    expected = {(1, 0): 0.00159 / 28, (1, 1): recurrent, (2, 1): 0.0034 / math.sqrt(2000)}
    assert decays == pytest.approx(expected)


@pytest.mark.slow
def test_each_unit_sees_one_window(recipe):
    rows, columns = np.divmod(np.asarray(recipe.build(KEY).lmap[1, 0].indices), 8)
    window = recipe.config.window
    assert np.ptp(rows, axis=1).max() == np.ptp(columns, axis=1).max() == window - 1


def test_the_loss_is_that_of_the_readout(recipe):
    outputs, y = np.zeros((1, 10), np.float32), 2 * np.eye(10, dtype=np.float32)[:1] - 1
    error, label = (
        recipe.replace(feedback=kind, threshold_out=2.0).problem(0).loss(outputs, y)
        for kind in ("error", "label")
    )
    assert float(error) == pytest.approx(math.log(10))
    assert float(label) == pytest.approx(2.0)


def test_another_word_for_the_feedback(recipe, says):
    sentence = (
        "In recipe 'classification-local-sparse': No feedback is named 'errors'. Did you mean "
        "'error'?"
    )
    with says(ValueError, sentence):
        recipe.replace(feedback="errors")
