"""A recurrent spiking layer over a whole sequence, with a gradient written by hand.

What reverse mode makes of such a loop keeps every intermediate of every step. Here

- the way forward keeps of each step the neuron's state alone, from which its spikes are made
  again, and multiplies inputs and weights in one product over all time steps (on a CPU step by
  step, which measured faster: what a step multiplies is then in the cache);
- the way back is one loop from the last step to the first, which sums up the gradients of both
  matrices as it goes, while what it multiplies is at hand. A gradient that nobody
  asked for, of the inputs or of a fixed leak, is not computed.

It gives what plain scanning gives, up to rounding, in reverse mode.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, PyTree


class Neuron(Protocol):
    """Units without weights: how a current moves their state, and which of them spike."""

    def advance(self, current: Array, state: Any, spikes: Array) -> Any:
        """Returns the next state of units that have spiked, or not, in this one."""
        ...

    def spikes(self, state: Any) -> Array:
        """Returns 1 for each unit that spikes in a state, else 0."""
        ...


class Parts(NamedTuple):
    """The parts of a layer; or a number, or nothing, for each of its leaves."""

    W: Any
    J: Any
    bias: Any
    neuron: Any


class _Given(NamedTuple):
    """All that gradients are taken for: the layer, its inputs and its first state."""

    parts: Parts
    xs: Any
    state: Any


def step(parts: Parts, driven: Float[Array, "*n units"], state: Any) -> tuple[Array, Any]:
    """One step: the spikes, and the state that made them.

    Args:
        parts: the layer.
        driven: the current that the inputs make, `x @ W`.
        state: that of the step before.
    """
    neuron: Neuron = parts.neuron
    before = neuron.spikes(state)
    state = neuron.advance(_current(parts, driven, before), state, before)
    return neuron.spikes(state), state


def _current(parts: Parts, driven: Array, spikes: Array) -> Array:
    current = driven + spikes @ parts.J
    return current if parts.bias is None else current + parts.bias


def spikes_through_time(
    parts: Parts, xs: Float[Array, "time n inputs"], state: Any, unroll: int = 1
) -> tuple[Float[Array, "time n units"], Any]:
    """The spikes of every step, and the state after the last.

    Args:
        parts: the layer.
        xs: its inputs, with a single batch axis.
        state: before the first step.
        unroll: steps per turn of the compiled loop.
    """
    return _run(_Given(parts, xs, state), unroll)


@eqx.filter_custom_vjp
def _run(given: _Given, unroll: int) -> tuple[Array, Any]:
    last, (spikes, _) = _ahead(given, unroll, keep=False)
    return spikes, last


@_run.def_fwd
def _forward(perturbed: _Given, given: _Given, unroll: int) -> tuple[tuple[Array, Any], Any]:
    del perturbed
    last, (spikes, before) = _ahead(given, unroll, keep=True)
    return (spikes, last), (before, last)


def _ahead(given: _Given, unroll: int, *, keep: bool) -> tuple[Any, tuple[Array, Any]]:
    """The last state, the spikes of all steps, and the state before each if it is to be kept."""
    parts, xs, first = given

    def run(inputs: Array, driven: Callable[[Array], Array]) -> Any:
        def forward(state: Any, given: Array) -> tuple[Any, tuple[Array, Any]]:
            spikes, after = step(parts, driven(given), state)
            return after, (spikes, state if keep else None)

        return lax.scan(forward, first, inputs, unroll=unroll)

    return lax.platform_dependent(
        cpu=lambda: run(xs, lambda x: x @ parts.W),
        default=lambda: run(xs @ parts.W, lambda driven: driven),
    )


class _Past(NamedTuple):
    """The carry of the way back: gradients of one step's results, and sums over later steps."""

    state: Any
    of_state: Any
    of_spikes: Float[Array, "n units"]
    sums: Parts  # W and J turned, (units, inputs)


@_run.def_bwd
def _backward(
    kept: tuple[Any, Any], grads: tuple[Any, Any], perturbed: _Given, given: _Given, unroll: int
) -> _Given:
    parts, xs, _ = given
    before, last = kept
    learned, fixed = eqx.partition(parts, perturbed.parts)

    def emitted(neuron: PyTree, state: Any) -> Array:
        return eqx.combine(neuron, fixed.neuron).spikes(state)

    def advanced(neuron: PyTree, current: Array, state: Any, spikes: Array) -> Any:
        return eqx.combine(neuron, fixed.neuron).advance(current, state, spikes)

    def through_spikes(past: _Past, of_answer: Array | float) -> tuple[PyTree, Any]:
        _, pull = jax.vjp(emitted, learned.neuron, past.state)
        of_neuron, of_state = pull(past.of_spikes + of_answer)
        return of_neuron, jax.tree.map(jnp.add, past.of_state, of_state)

    def back(past: _Past, seen: tuple[Any, Array, Array]) -> tuple[_Past, Array | None]:
        before, x, of_answer = seen
        of_neuron, of_state = through_spikes(past, of_answer)
        spikes = parts.neuron.spikes(before)
        # Few neurons ask for the value of the current; for the others this is not computed.
        current = _current(parts, x @ parts.W, spikes)
        _, pull = jax.vjp(advanced, learned.neuron, current, before, spikes)
        of_neuron_too, of_current, of_before, of_spikes = pull(of_state)
        turned = _turn(of_current)
        added = Parts(turned @ x, turned @ spikes, of_current.sum(0), of_neuron)
        sums = jax.tree.map(_add, past.sums, added, is_leaf=_is_none)
        sums = sums._replace(neuron=jax.tree.map(_add, sums.neuron, of_neuron_too))
        past = _Past(before, of_before, of_spikes + of_current @ parts.J.T, sums)
        return past, (of_current if perturbed.xs else None)

    of_answers = _or_zeros(grads[0], jnp.zeros((*xs.shape[:2], len(parts.J)), parts.J.dtype))
    past = _Past(last, _or_zeros(grads[1], last), jnp.zeros_like(of_answers[0]), _blank(learned))
    past, of_currents = lax.scan(back, past, (before, xs, of_answers), reverse=True, unroll=unroll)
    of_neuron, of_state = through_spikes(past, 0.0)
    neuron = jax.tree.map(_add, past.sums.neuron, of_neuron)
    sums = jax.tree.map(
        lambda total, leaf: total.astype(leaf.dtype), past.sums._replace(neuron=neuron), learned
    )
    of_parts = sums._replace(W=_transpose(sums.W), J=_transpose(sums.J))
    return _Given(of_parts, None if of_currents is None else of_currents @ parts.W.T, of_state)


def _blank(learned: Parts) -> Parts:
    """No gradient yet, of what is asked for; sums are not kept in less than single precision."""
    turned = learned._replace(W=_transpose(learned.W), J=_transpose(learned.J))
    return jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, jnp.promote_types(leaf.dtype, jnp.float32)), turned
    )


def _add(total: Array | None, more: Array) -> Array | None:
    return None if total is None else total + more.astype(total.dtype)


def _turn(rows: Float[Array, "n units"]) -> Float[Array, "units n"]:
    """The transpose, in memory: a CPU multiplies from the left about twice as fast by it."""
    return lax.platform_dependent(
        rows, cpu=lambda rows: lax.optimization_barrier(rows.T), default=lambda rows: rows.T
    )


def _transpose(matrix: Array | None) -> Array | None:
    return None if matrix is None else matrix.T


def _or_zeros(grads: PyTree, like: PyTree) -> PyTree:
    """Gradients, with zeros where none came back."""
    return jax.tree.map(
        lambda grad, leaf: jnp.zeros_like(leaf) if grad is None else grad,
        grads,
        like,
        is_leaf=_is_none,
    )


def _is_none(leaf: object) -> bool:
    return leaf is None
