"""The base of the methods that descend a corrected direction with an optimiser of their own."""

from __future__ import annotations

import jax.numpy as jnp
import optax
from jaxtyping import Array, PyTree

from bionet.experimental.hybrid.estimate.estimators import Found, scalars
from bionet.experimental.hybrid.estimate.vectors import as_learning
from bionet.modules.trained import apply_trained, partition_trained
from bionet.training.first_order.optimizers import start_optimizer, update_with_loss
from bionet.training.method import MethodSpec, TrainState
from bionet.training.zeroth_order.trained_vector import check_trained


def start(
    owner: str, spec: MethodSpec, optimizer: optax.GradientTransformation, model: PyTree
) -> TrainState:
    """The state before the first step; optimiser memory for the trained leaves alone."""
    check_trained(model, spec)
    learning, _ = partition_trained(model)
    memory = start_optimizer(owner, optimizer, learning)
    return TrainState(model, memory, jnp.zeros((), jnp.int32))


def take_step(
    owner: str,
    optimizer: optax.GradientTransformation,
    train_state: TrainState,
    g: Array,
    told: Found,
) -> tuple[TrainState, dict[str, Array]]:
    """The next state, and the scalars of the diagnostics."""
    model = train_state.model
    learning, _ = partition_trained(model)
    gradient, loss = as_learning(model, g), told["training_loss"]
    updates, memory = update_with_loss(
        owner, optimizer, gradient, train_state.memory, learning, loss
    )
    model = apply_trained(model, updates)
    return TrainState(model, memory, train_state.step + 1), scalars(told)
