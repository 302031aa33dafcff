"""From a state to the local field of a row, and the checks that come before the arithmetic.

Two things here make `settle` fast. Messages that are known, because their sender is
clamped, are handed in and not computed again. And the key is split only for modules
that use randomness, so a deterministic network carries it along untouched.
"""

from __future__ import annotations

from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from bionet._core.checks import unless
from bionet.layer_maps.senders import Senders, is_selected
from bionet.layer_maps.sparse import Edge, LayerMap
from bionet.modules.interfaces import AbstractModule
from bionet.states.interface import AbstractState


def check_state(lmap: LayerMap, state: AbstractState) -> None:
    """Fails unless each buffer of `state` has the shape and the dtype that its edges need.

    Raises:
        ValueError: another number of buffers, batch sizes that differ, or a shape; the
            sentence names the edge and both shapes.
        TypeError: a dtype; the sentence names the edge and both dtypes.
    """
    if len(state) != lmap.last + 1:
        raise ValueError(
            f"The state has {len(state)} buffers, but the last row of the layer map is "
            f"{lmap.last}, which needs {lmap.last + 1}: one for the input and one for each "
            "row. Build the state with that many sizes."
        )
    _check_batch(state)
    for (i, j), module in lmap.edge_items():
        _check_shape((i, j), "receives", state[i], i, module.receiver_shape)
        _check_shape((i, j), "sends", state[j], j, module.sender_shape)
        _check_dtype((i, j), module, state[j])


def _check_batch(state: AbstractState) -> None:
    batches = [state[i].shape[0] for i in range(len(state))]
    if len(set(batches)) > 1 or 0 in batches:
        raise ValueError(
            f"The buffers of the state need one batch size, of 1 or more, got {batches}, from the "
            "input to the output. Make the state with state.init(x, y)."
        )


def _check_shape(
    edge: Edge, verb: str, buffer: Array, index: int, needed: tuple[int, ...] | None
) -> None:
    if needed is not None and buffer.shape[1:] != needed:
        raise ValueError(
            f"Edge {edge} {verb} {needed} per sample, but buffer {index} of the state has "
            f"{buffer.shape[1:]}, shape {buffer.shape} with the batch. Give the state and the "
            "module the same size."
        )


def _check_dtype(edge: Edge, module: AbstractModule, sent: Array) -> None:
    for leaf in jax.tree.leaves(eqx.filter(module, eqx.is_inexact_array)):
        if leaf.dtype != sent.dtype:
            raise TypeError(
                f"Edge {edge} has weights of dtype {leaf.dtype}, but buffer {edge[1]} of the "
                f"state is {sent.dtype}. Build the state with dtype={leaf.dtype}."
            )


def row_messages(
    lmap: LayerMap,
    state: AbstractState,
    receiver: int,
    senders: Senders,
    rng: PRNGKeyArray | None,
    known: Mapping[Edge, Array] | None = None,
    but: int | None = None,
) -> tuple[dict[int, Array], PRNGKeyArray | None]:
    """The messages to `receiver` by sender, and the key that is left; none from `but`.

    Raises:
        ValueError: a module needs a key and `rng` is None; the sentence names the edge.
    """
    messages: dict[int, Array] = {}
    for j, module in lmap.neighbors(receiver).items():
        if j == but or not is_selected(senders, receiver, j, lmap.last):
            continue
        if known is not None and (receiver, j) in known:
            messages[j] = known[receiver, j]
            continue
        key = None
        if module.needs_key:
            rng, key = _split((receiver, j), rng)
        messages[j] = module(state[j], key)
    return messages, rng


def local_field(
    lmap: LayerMap,
    state: AbstractState,
    receiver: int,
    senders: Senders,
    rng: PRNGKeyArray | None,
    known: Mapping[Edge, Array] | None = None,
) -> tuple[Array, PRNGKeyArray | None]:
    """The local field of `receiver`, and the key that is left."""
    messages, rng = row_messages(lmap, state, receiver, senders, rng, known)
    return lmap[receiver, receiver].reduce(messages), rng


def score(
    lmap: LayerMap,
    state: AbstractState,
    receiver: int,
    senders: Senders,
    rng: PRNGKeyArray | None,
    known: Mapping[Edge, Array] | None = None,
) -> tuple[Array, PRNGKeyArray | None]:
    """The local field that the modules of `receiver` learn from, and the key that is left.

    It is the local field, but for the last row: its own message is left out, because its
    buffer is the label while it learns, and would answer for itself. A last row that hears
    nobody else has a score of zeros.
    """
    if receiver != lmap.last:
        return local_field(lmap, state, receiver, senders, rng, known)
    messages, rng = row_messages(lmap, state, receiver, senders, rng, known, but=receiver)
    heard = messages or {receiver: jnp.zeros_like(state[receiver])}
    return lmap[receiver, receiver].reduce(heard), rng


def finite_field(field: Array, row: int) -> Array:
    """`field`, or an error at run time if it is NaN or infinite.

    The sign of such a field is a finite state, which hides what is wrong with the weights.
    """
    return unless(field, ~jnp.isfinite(field).all(), not_finite_field(row))


def not_finite_field(row: int) -> str:
    """The sentence for a local field that is NaN or infinite."""
    return (
        f"The local field of row {row} is NaN or infinite: its weights, or a buffer that it "
        "listens to, are. Lower the learning rate, or look at what was put into the state."
    )


def clamped_messages(
    lmap: LayerMap, state: AbstractState, senders: Senders = "all"
) -> dict[Edge, Array]:
    """The messages that stay the same while only the rows before the last one are updated.

    They come from the input, from other buffers without a row, and from the output, which
    holds the label or nothing. `settle` and `backward` take them as `known`, so that the
    phases of a training step, and the learning after them, share one computation.

    A module that uses randomness makes a new message each time, so it is left out.
    """
    updated = lmap.rows()[:-1]
    return {
        (i, j): module(state[j], None)
        for (i, j), module in lmap.edge_items()
        if i in updated
        and j not in updated
        and not module.needs_key
        and is_selected(senders, i, j, lmap.last)
    }


def _split(edge: Edge, rng: PRNGKeyArray | None) -> tuple[PRNGKeyArray, PRNGKeyArray]:
    if rng is None:
        raise ValueError(f"Edge {edge} uses randomness and needs a key, but rng is None.")
    left, key = jax.random.split(rng)
    return left, key
