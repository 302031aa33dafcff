"""Takes a node's step so that a slot which does not run leaves no trace.

Such a slot computes all the same: that is cheaper than to branch, and one program then serves a
batch whose members do different things. What it makes is dropped, but that alone is not enough:

- A derivative that is not finite would reach the gradients, since 0 times NaN is NaN. So nothing
  flows back into what an idle slot is given, nor into what its step closes over.
- An effect, such as a callback, would take place. So a step that has one is run under
  `jax.lax.cond`. Under `vmap`, a batch whose members disagree on who runs is refused.

Where it is known outside of a program that a slot does not run, its step is not called at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, final

import equinox as eqx
import jax
from jax.core import Tracer
from jax.custom_batching import custom_vmap
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jaxtyping import Array, Bool, PyTree

from bionet._core.leaves import is_key
from bionet.graph.node import BaseNode
from bionet.graph.run.gate import gated
from bionet.graph.state import StepState

Leaves = list[Any]
Taken = Callable[[Leaves, Leaves], Leaves]


class Made(NamedTuple):
    """The result of a step."""

    state: PyTree
    params: PyTree
    output: PyTree[Array]


@final
class Step:
    """The step of a node in one program, traced once for all of the node's slots.

    Args:
        node: the node.
        take: the step itself. What it makes has the shapes and dtypes that the node began with.
        output: an output of the node, from before.
    """

    def __init__(
        self, node: BaseNode, take: Callable[[StepState], Made], output: PyTree[Array]
    ) -> None:
        self._node, self._take, self._output = node, take, output
        self._traced: dict[Any, tuple[ClosedJaxpr, PyTree, PyTree]] = {}

    def __call__(self, given: StepState, run: Bool[Array, ""] | None) -> Made:
        """Takes the step, if the slot runs.

        Args:
            given: what the step is given.
            run: whether the slot runs; None if it always does.

        Returns:
            What the step makes. Where the slot does not run, it is of the same shape, and means
            nothing.
        """
        if run is None:
            return self._take(given)
        if not isinstance(run, Tracer):
            return self._take(given) if run else self._nothing(given)
        leaves, structure = jax.tree.flatten(eqx.filter(given, eqx.is_array))
        closed, shapes, rest = self._jaxpr(given, (structure, *map(jax.typeof, leaves)))
        jaxpr, consts = closed.jaxpr, list(closed.consts)

        def taken(consts: Leaves, leaves: Leaves) -> Leaves:
            return jaxpr_as_fun(ClosedJaxpr(jaxpr, list(consts)))(*leaves)

        if self._has_effects(closed):
            nothing = jax.tree.leaves(eqx.filter(self._nothing(given), eqx.is_array))
            alone = _alone(self._node.name, run)
            made = jax.lax.cond(alone, taken, lambda *_: nothing, consts, leaves)
        else:
            made = _without_gradients(run, taken, consts, given)
        return eqx.combine(jax.tree.unflatten(jax.tree.structure(shapes), made), rest)

    def _jaxpr(self, given: StepState, key: Any) -> tuple[ClosedJaxpr, PyTree, PyTree]:
        if key not in self._traced:
            self._traced[key] = eqx.filter_make_jaxpr(self._take)(given)
        return self._traced[key]

    def _has_effects(self, closed: ClosedJaxpr) -> bool:
        if self._node.effects is not None:
            return self._node.effects
        # JAX also calls it an effect that a step sums over a named axis, which leaves no trace.
        return any(type(effect).__name__ != "NamedAxisEffect" for effect in closed.effects)

    def _nothing(self, given: StepState) -> Made:
        return Made(given.state, given.params, self._output)


def _without_gradients(
    run: Bool[Array, ""], taken: Taken, consts: Leaves, given: StepState
) -> Leaves:
    """Makes the result of a step, with no way back for gradients where the slot does not run."""
    rest, held = given.replace(params=None), (given.params, consts)
    (seen, others), (fixed, static) = (eqx.partition(tree, _is_traced) for tree in (rest, held))
    old, shapes = jax.tree.flatten((seen, fixed))
    new = jax.tree.unflatten(
        shapes, jax.tree.leaves(gated(run, *map(jax.tree.leaves, (seen, fixed))))
    )
    rest, (params, consts) = eqx.combine(new, (others, static))
    made = taken(consts, jax.tree.leaves(eqx.filter(rest.replace(params=params), eqx.is_array)))
    # What a step hands on as it was given is not its work, and is not chosen between.
    before = {id(b): a for a, b in zip(old, jax.tree.leaves(new), strict=True)}
    return [before.get(id(leaf), leaf) for leaf in made]


def _is_traced(leaf: Any) -> bool:
    return isinstance(leaf, Tracer) and not is_key(leaf)


def _alone(name: str, run: Bool[Array, ""]) -> Bool[Array, ""]:
    """Returns whether the slot runs, which has to be the same for all of a batch."""

    @custom_vmap
    def alone(run: Bool[Array, ""]) -> Bool[Array, ""]:
        return run

    @alone.def_vmap
    def _(size: int, batched: Any, run: Any) -> Any:
        raise ValueError(
            f"Node {name!r}: step has an effect, such as a callback, and under vmap the members of "
            "a batch need to be at one step of one episode, got members at their own. Take "
            "bionet.graph.SHARED as the axes, or set effects=False on the node if its step may "
            "also be called where it does not run."
        )

    return alone(run)
