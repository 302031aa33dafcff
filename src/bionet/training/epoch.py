"""One epoch of any method as one compiled call that works in place.

The arrays of the training state are donated: the epoch writes the new weights and the
new optimiser memory over the old ones, so that at no time two of each are on the
device. What came in can therefore not be used again; `host_copy` keeps what is needed
to run an epoch once more, in the host's memory and not in the device's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, PRNGKeyArray, PyTree

from bionet._core.leaves import as_leaf, as_numbers
from bionet.training.batches import AbstractBatches
from bionet.training.checks.data_checks import FLAG, find_arrays, is_faulty
from bionet.training.checks.health import finite_leaves
from bionet.training.method import AbstractMethod, TrainState

Seen = Callable[[TrainState, dict[str, Array]], Any]


def run_epoch(
    method: AbstractMethod, train_state: TrainState, batches: AbstractBatches, key: PRNGKeyArray
) -> tuple[TrainState, dict[str, Array]]:
    """One epoch; the metrics come back with one entry per step.

    The arrays of `train_state` are used up, the very array objects included. Of batches that are
    made and not held, the metrics say by `data_checks.FLAG` which ones nothing can learn from.
    """
    return _run_in_place((method, batches, key), train_state)


@eqx.filter_jit(donate="all-except-first")
def _run_in_place(
    given: tuple[AbstractMethod, AbstractBatches, PRNGKeyArray], train_state: TrainState
) -> tuple[TrainState, dict[str, Array]]:
    return _scan_steps(*given, train_state, lambda state, metrics: metrics)


@eqx.filter_jit
def flags_per_step(
    method: AbstractMethod, train_state: TrainState, batches: AbstractBatches, key: PRNGKeyArray
) -> Bool[Array, "steps leaves"]:
    """The same epoch again; comes back with `finite_leaves` after each step."""
    seen = _scan_steps(
        method, batches, key, train_state, lambda state, metrics: finite_leaves(state.model)
    )
    return seen[1]


def _scan_steps(
    method: AbstractMethod,
    batches: AbstractBatches,
    key: PRNGKeyArray,
    train_state: TrainState,
    seen: Seen,
) -> tuple[TrainState, Any]:
    plan_key, steps_key = jax.random.split(key)
    plan = batches.plan(plan_key)
    watched = find_arrays(batches) is None
    # Optimisers hold functions beside arrays, which a scan does not carry.
    arrays, static = eqx.partition(train_state, eqx.is_array)

    def step(carry: PyTree, index: Array) -> tuple[PyTree, Any]:
        state = eqx.combine(carry, static)
        batch = batches.batch(plan, index)
        flag = {FLAG: is_faulty(method, state.model, batch)} if watched else {}
        state, metrics = method.step(state, batch, jax.random.fold_in(steps_key, index))
        metrics = {**metrics, **flag}
        return eqx.filter(state, eqx.is_array), seen(state, metrics)

    arrays, told = jax.lax.scan(step, arrays, jnp.arange(batches.num_batches))
    return eqx.combine(arrays, static), told


def draw_batch(batches: AbstractBatches, key: PRNGKeyArray, index: int) -> tuple[Array, ...]:
    """The batch of a step of the epoch that `run_epoch` runs with this key."""
    plan_key, _ = jax.random.split(key)
    return batches.batch(batches.plan(plan_key), jnp.asarray(index))


def host_copy(train_state: TrainState) -> list[np.ndarray]:
    """The arrays of a training state, copied into the host's memory."""
    arrays = jax.tree.leaves(eqx.filter(train_state, eqx.is_array))
    return [np.array(as_numbers(leaf)) for leaf in arrays]


def on_device(copied: list[np.ndarray], like: TrainState) -> TrainState:
    """A training state of the structure of `like` out of what `host_copy` kept."""
    arrays, static = eqx.partition(like, eqx.is_array)
    leaves, structure = jax.tree.flatten(arrays)
    back = [as_leaf(numbers, leaf) for numbers, leaf in zip(copied, leaves, strict=True)]
    return eqx.combine(jax.tree.unflatten(structure, back), static)
