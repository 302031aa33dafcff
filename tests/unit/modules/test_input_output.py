"""`OutputLayer`: nothing to learn, and no memory of what the output buffer held."""

import jax
import jax.numpy as jnp
import numpy as np

from bionet.modules.input_output import OutputLayer


def test_it_has_no_parameters():
    assert jax.tree.leaves(OutputLayer()) == []


def test_its_own_message_is_zero():
    message = OutputLayer()(np.full((2, 3), 7.0), jax.random.key(0))
    assert np.array_equal(message, np.zeros((2, 3)))


def test_it_hands_over_the_sum_of_its_messages():
    messages = {1: jnp.array([[1.0, -2.0]]), 2: np.zeros((1, 2)), 0: jnp.array([[0.5, 0.5]])}
    field = OutputLayer().reduce(messages)
    assert np.array_equal(OutputLayer().activation(field), np.array([[1.5, -1.5]]))


def test_its_pseudo_gradient_is_itself():
    x = np.ones((2, 3))
    assert OutputLayer().backward(x, x, x) == OutputLayer()


def test_it_takes_any_target():
    labels = jnp.array([[0.0, 1.5, -1 / 3]])
    assert np.array_equal(OutputLayer().admit_target(labels), labels)
