"""Runs the dynamics until nothing changes, or for a number of steps, in one compiled loop.

This is the fast path: messages from clamped buffers are computed once and not in
every step, and a deterministic network splits no keys. The numbers are those of the
plain loop of `step` calls. That a network has not settled is a result, not an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PRNGKeyArray

from bionet._core.names import unknown
from bionet.layer_maps.senders import Senders, check_senders
from bionet.layer_maps.sparse import Edge
from bionet.orchestrators.interface import AbstractOrchestrator, Rng, S, Stepper
from bionet.orchestrators.messages import check_state, clamped_messages
from bionet.states.interface import AbstractState

Phase = Literal["clamped", "free"]
_SENDERS: dict[str, Senders] = {"clamped": "all", "free": "forward"}


@final
class Settled(eqx.Module):
    """The result of the dynamics.

    Attributes:
        settled: whether no unit of the batch changed in the last step that was taken.
        steps: how many steps were taken, the one that found nothing to change included.
    """

    settled: Bool[Array, ""]
    steps: Int[Array, ""]


def settle(
    orchestrator: AbstractOrchestrator,
    state: S,
    *,
    rng: PRNGKeyArray | None = None,
    max_steps: int,
    phase: Phase = "free",
    senders: Senders | None = None,
    early_stop: bool = True,
    known: Mapping[Edge, Array] | None = None,
) -> tuple[S, Settled]:
    """The state after the dynamics have settled, or after `max_steps` steps.

    Args:
        orchestrator: the network.
        state: where it starts; its input, and in the clamped phase its output, stay.
        rng: a key; None will do for a network without randomness. It is used up.
        max_steps: the most steps that are taken; 0 takes none.
        phase: "clamped" listens to all senders, the label included, as `step` does;
            "free" to senders `j <= i`, as `step_inference` does.
        senders: whom the rows listen to instead of the phase's own choice.
        early_stop: stop after the first step that changes no unit of the batch. A
            deterministic network would repeat that step for ever, so the state is the
            same either way. A network with randomness may move again. Looking costs a
            comparison per step, which False saves in all steps but the last.
        known: the messages from clamped buffers, by `clamped_messages`, if several phases
            share them; None computes them here, once.

    Returns:
        The state, and whether it settled and after how many steps.

    Raises:
        ValueError: a negative number of steps, an unknown phase, a state that does not fit.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet import settle, zoo

        recipe = zoo.get("prototypes-local")
        network, (x, y) = recipe.build(), recipe.synthetic_batch(batch_size=4)
        state = recipe.state().init(x, y)
        state, result = settle(network, state, max_steps=50, phase="free")
        print(bool(result.settled), int(result.steps))
        ```
    """
    if not hasattr(max_steps, "__index__"):
        raise TypeError(f"settle: max_steps needs an int, got {max_steps!r}.")
    if max_steps < 0:
        raise ValueError(f"settle: max_steps needs 0 or more, got {max_steps}.")
    if phase not in _SENDERS:
        raise ValueError(f"settle: {unknown('phase', phase, _SENDERS)}")
    listened = _SENDERS[phase] if senders is None else check_senders(senders)
    check_state(orchestrator.lmap, state)
    return _run(orchestrator, state, rng, jnp.asarray(max_steps), listened, early_stop, known)


@eqx.filter_jit
def _run(
    orchestrator: AbstractOrchestrator,
    state: S,
    rng: PRNGKeyArray | None,
    max_steps: Int[Array, ""],
    senders: Senders,
    early_stop: bool,
    known: Mapping[Edge, Array] | None,
) -> tuple[S, Settled]:
    updated = orchestrator.lmap.rows()[:-1]
    if known is None:
        known = clamped_messages(orchestrator.lmap, state, senders)
    step = orchestrator.stepper(senders, known)

    run = _until_settled if early_stop else _all_steps
    return run(step, state, rng, max_steps, updated)


def _until_settled(
    step: Stepper, state: S, rng: Rng, max_steps: Int[Array, ""], updated: tuple[int, ...]
) -> tuple[S, Settled]:
    def going_on(carry: tuple[Any, ...]) -> Array:
        _, _, settled, steps = carry
        return (steps < max_steps) & ~settled

    def body(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        old, key, _, steps = carry
        new, key = step(old, key)
        return new, key, _unchanged(_buffers(old, updated), new, updated), steps + 1

    start = (state, rng, jnp.asarray(False), jnp.asarray(0))
    state, _, settled, steps = jax.lax.while_loop(going_on, body, start)
    return state, Settled(settled, steps)


def _all_steps(
    step: Stepper, state: S, rng: Rng, max_steps: Int[Array, ""], updated: tuple[int, ...]
) -> tuple[S, Settled]:
    """Looks at the last step alone; a loop without a question in it is the cheapest one."""

    def body(_: Array, carry: tuple[Any, ...]) -> tuple[Any, ...]:
        state, key, _ = carry
        new, key = step(state, key)
        return new, key, _buffers(state, updated)

    start = (state, rng, _buffers(state, updated))
    new, _, old = jax.lax.fori_loop(0, max_steps, body, start)
    return new, Settled((max_steps > 0) & _unchanged(old, new, updated), max_steps)


def _buffers(state: AbstractState, rows: tuple[int, ...]) -> list[Array]:
    return [state[i] for i in rows]


def _unchanged(old: list[Array], new: AbstractState, updated: tuple[int, ...]) -> Bool[Array, ""]:
    same = [(before == new[i]).all() for before, i in zip(old, updated, strict=True)]
    return jnp.stack(same).all() if same else jnp.asarray(True)
