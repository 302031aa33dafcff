"""Runs that end early: answers of any kind of boolean, and a metric that is never a number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.training.fit import fit
from bionet.training.run.checkpoints_of_run import FitWarning
from bionet.training.run.stopping import ends_the_run, out_of_patience

KEY = jax.random.key(0)
NAN = float("nan")


@pytest.mark.parametrize(
    "answer",
    [True, np.True_, np.asarray(True), jnp.asarray(True), np.asarray([True])],
    ids=["python", "numpy", "0-d numpy", "jax", "one entry"],
)
def test_any_true_ends_the_run(counted, tally, answer):
    result = fit(counted(), tally, epochs=3, key=KEY, callbacks=[lambda event: answer])
    assert (result.stopped, len(result.history)) == ("callback", 1)


@pytest.mark.parametrize("answer", [np.False_, jnp.asarray(False), np.float32(1), np.ones(3), "on"])
def test_no_other_answer_does(answer):
    assert ends_the_run(answer) is False


def test_an_answer_with_many_booleans_is_refused(says):
    sentence = (
        "fit: a callback returned 2 booleans, and one says whether to end the run. Take their "
        "any() or all()."
    )
    with says(TypeError, sentence):
        ends_the_run(jnp.asarray([True, False]))


def rows(*values):
    return [{"accuracy": value} for value in values]


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ((NAN, NAN), True),
        ((0.5, NAN), True),
        ((NAN, 0.5), False),  # a number is a rise above NaN, and `max` would keep the NaN
        ((NAN, 0.5, 0.4), True),
        ((0.5, NAN, 0.6), False),
        ((0.5, NAN, 0.4), True),
    ],
)
def test_nan_is_no_rise(values, ends):
    assert out_of_patience(rows(*values), "accuracy", 1) is ends


def test_a_metric_that_is_never_a_number_ends_a_run_with_patience_and_is_told(counted, tally):
    problem = counted(n=4, batch_size=4, scores=(NAN,) * 7)
    told = (
        "The validation metric 'accuracy' was NaN after each of the 2 epochs, so no epoch counted "
        "as better than another. Look at the metric, and at the outputs."
    )
    with pytest.warns(FitWarning, match="^The validation metric 'accuracy' was NaN after each"):
        result = fit(problem, tally, epochs=6, key=KEY, patience=1)
    assert (result.stopped, len(result.history)) == ("patience", 2)
    assert result.notes == (told,)


def test_it_is_told_without_patience_too(counted, tally):
    problem = counted(n=4, batch_size=4, scores=(NAN,) * 7)
    with pytest.warns(FitWarning, match="was NaN after the epoch"):
        assert fit(problem, tally, epochs=1, key=KEY).stopped == "epochs"


def test_one_number_among_them_is_enough_to_say_nothing(counted, tally):
    problem = counted(n=4, batch_size=4, scores=(0.0, NAN, 0.5))
    assert fit(problem, tally, epochs=2, key=KEY).notes == ()
