"""The names in a row of the history: none hides another one's number."""

from dataclasses import replace
from typing import ClassVar, final

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from bionet.training.fit import fit
from bionet.training.method import AbstractMethod, MethodSpec, TrainState

KEY = jax.random.key(0)


@final
class Named(AbstractMethod):
    """Learns nothing, and tells one number under a name."""

    name: str = eqx.field(static=True)
    spec: ClassVar[MethodSpec] = MethodSpec("named", "control", "Tell a number.")

    def init(self, model, key):
        return TrainState(model, None, jnp.asarray(0, jnp.int32))

    def step(self, train_state, batch, key):
        state = TrainState(train_state.model, None, train_state.step + 1)
        return state, {self.name: jnp.asarray(-7.0)}

    def finish(self, train_state):
        return train_state.model


@pytest.mark.parametrize("name", ["epoch", "loss", "seconds", "accuracy"])
@pytest.mark.parametrize("scores", [(), (0.0, 0.5, 1.0)], ids=["no validation", "validation"])
def test_a_methods_metric_under_a_rows_own_name_is_refused_before_training(
    counted, says, tmp_path, name, scores
):
    told = []
    sentence = (
        f"fit: the metrics of the method 'named' have the name {name!r}, which a row of the "
        f"history has for a number of its own. Rename it, to 'training_{name}' say."
    )
    with says(ValueError, sentence):
        fit(
            counted(scores=scores), Named(name), epochs=2, key=KEY, callbacks=[told.append],
            checkpoint=tmp_path,
        )  # fmt: skip
    assert told == []
    assert list(tmp_path.iterdir()) == []


def test_any_other_name_is_kept(counted):
    (row,) = fit(counted(scores=(0.0, 0.5, 1.0)), Named("speed"), epochs=1, key=KEY).history
    assert row["speed"] == -7.0


@pytest.mark.parametrize("name", ["epoch", "loss", "seconds"])
def test_a_problems_metric_under_a_rows_own_name_is_refused(counted, says, name):
    sentence = (
        f"Problem: metric_name {name!r} is the name of another number of each epoch (epoch, loss, "
        "seconds). Name the metric otherwise."
    )
    with says(ValueError, sentence):
        replace(counted(), metric_name=name)
