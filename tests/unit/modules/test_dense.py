"""`Dense`: the modules that say so send `x @ matrix`."""

import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.dense import Dense
from bionet.modules.input_output import OutputLayer


@pytest.mark.parametrize("kind", ["dense", "frozen", "binary"])
def test_the_message_is_the_product_with_the_matrix(dense, binary, kind):
    weights = np.arange(9.0).reshape(3, 3)
    made = {"dense": dense(weights), "frozen": dense(weights, None), "binary": binary(weights)}
    module, x = made[kind], jnp.eye(3)
    assert isinstance(module, Dense)
    assert np.array_equal(module(x), np.asarray(x) @ np.asarray(module.matrix))
    with pytest.raises(AttributeError):
        module.matrix = x


def test_others_are_not_dense(noisy):
    assert not isinstance(OutputLayer(), Dense)
    assert not isinstance(noisy.orchestrator.lmap[1, 0], Dense)
