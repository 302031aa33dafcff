"""All rows at once, by one batched product: the rows' buffers are stacked into one array.

Each row has a slot for each row that it hears. What the slots of a row hold is laid side
by side, and so are the matrices below it, padded to the widest row; then

    fields[row] = [buffer of slot 0 | buffer of slot 1 | ...] @ [matrix 0; matrix 1; ...]

is one product for all rows. Where a row hears fewer rows than another, its last slots
hold its own buffer above a matrix of zeros. Padded units are zeros above rows of zeros,
so nothing of them reaches a unit that exists. The matrices are stacked once for a whole
loop of steps. Messages from clamped buffers come from their own modules, whatever these are.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bionet.kernels.products import Operands, product
from bionet.layer_maps.senders import Senders, is_selected
from bionet.layer_maps.sparse import Edge, LayerMap
from bionet.modules.dense import Dense
from bionet.modules.interfaces import AbstractModule
from bionet.orchestrators.interface import AbstractOrchestrator, Rng, S, Stepper
from bionet.orchestrators.messages import row_messages
from bionet.orchestrators.wiring import runnable

_OWNER = "StackedOrchestrator"


@final
class StackedOrchestrator(AbstractOrchestrator):
    """Updates every row but the last at once, as `SynchronousOrchestrator` does, in one product.

    It is the right one for many layers of one small size, where the calls cost more than the
    arithmetic. On two CPU cores, with a batch of 16 and 20 layers that hear themselves and
    their neighbours, a step of `settle` took 0.4 of the synchronous time with 16 units a
    layer, 0.7 with 64 and as long with 256; compiling took twice as long
    (`research/benchmarks/stacked.py`). On an accelerator, which starts one product in the
    place of sixty, more is to be expected; it has not been measured.

    All rows are padded to the widest: the product costs (rows) x (most rows heard by one)
    x (largest width)^2, so one wide layer makes all of them wide. The matrices are held
    twice while a loop of steps runs, and a single `step` outside of one stacks them anew.

    The edges between the rows need a `matrix` (see `bionet.modules.Dense`); those from
    clamped buffers, and those of the last row, may be anything. The layer of a row gets the
    messages of all rows as one, so its `reduce` has to be a sum.

    Args:
        layers: the network; each row needs a layer on its diagonal.

    Raises:
        TypeError: `layers` is no `LayerMap`, or an edge between two rows is not dense.
        ValueError: a row without a diagonal; edges between rows whose `operands` differ.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet import FullyConnected, LayerMap, OutputLayer, RecurrentDiscrete
        from bionet import SequentialState, StackedOrchestrator, settle

        k = jax.random.split(jax.random.key(0), 9)
        rows = {
            i: {
                i - 1: FullyConnected(8, 8, 1.0, 0.5, k[2 * i]),
                i: RecurrentDiscrete(8, 0.5, 0.5, k[2 * i - 1]),
            }
            for i in (1, 2, 3)
        }
        rows[4] = {3: FullyConnected(8, 2, 1.0, 0.5, k[0]), 4: OutputLayer()}
        network = StackedOrchestrator(layers=LayerMap.from_dict(rows))
        state = SequentialState((8, 8, 8, 8, 2)).init(jnp.ones((5, 8)))
        state, result = settle(network, state, max_steps=10)
        print(state[3].shape, int(result.steps))
        ```
    """

    lmap: LayerMap

    def __init__(self, layers: LayerMap) -> None:
        self.lmap = runnable(_OWNER, layers)
        for edge, module in _between_rows(self.lmap).items():
            _check_dense(edge, module)
        _operands(self.lmap)

    def stepper(self, senders: Senders, known: Mapping[Edge, Array]) -> Stepper:
        """A step that updates every row but the last at once; the weights are stacked here."""
        rows = self.lmap.rows()[:-1]
        if not rows:
            return lambda state, rng: (state, rng)
        slots = _slots(self.lmap, senders)
        weights = _stack_weights(self.lmap, slots)
        clamped = _from_clamped(self.lmap)
        batched = jax.vmap(functools.partial(product, operands=_operands(self.lmap)))

        def step(state: S, rng: Rng) -> tuple[S, Rng]:
            fields = batched(_heard(state, rows, slots, weights.shape[-1]), weights)
            fresh = state
            for i, field in zip(rows, fields, strict=True):
                messages, rng = row_messages(clamped, state, i, senders, rng, known)
                layer, units = self.lmap[i, i], state[i].shape[-1]
                total = layer.reduce({**messages, i: field[:, :units]})
                fresh = fresh.replace(i, layer.activation(total))
            return fresh, rng

        return step


def _between_rows(lmap: LayerMap) -> dict[Edge, AbstractModule]:
    rows = lmap.rows()[:-1]
    return {(i, j): module for (i, j), module in lmap.edge_items() if i in rows and j in rows}


def _operands(lmap: LayerMap) -> Operands:
    """Returns the width of the numbers that are multiplied: one product has one answer."""
    kinds: dict[Edge, Operands] = {
        edge: getattr(module, "operands", "weights") for edge, module in _between_rows(lmap).items()
    }
    if not kinds:
        return "weights"
    first, wanted = next(iter(kinds.items()))
    for edge, operands in kinds.items():
        if operands != wanted:
            raise ValueError(
                f"{_OWNER}: edge {edge} multiplies operands {operands!r}, but edge {first} "
                f"{wanted!r}; one product for all rows needs one kind."
            )
    return wanted


def _check_dense(edge: Edge, module: AbstractModule) -> None:
    if isinstance(module, Dense) and not module.needs_key and module.matrix.ndim == 2:
        return
    raise TypeError(
        f"{_OWNER}: edge {edge} joins two rows and needs a dense module, whose message is x @ "
        f"matrix without randomness, got {type(module).__name__}. Give it a `matrix`, or use "
        "SynchronousOrchestrator, which computes the same with any module."
    )


def _slots(lmap: LayerMap, senders: Senders) -> dict[int, tuple[int, ...]]:
    """The rows that each row hears, ascending."""
    rows = lmap.rows()[:-1]
    return {
        i: tuple(j for j in lmap.cols_of(i) if j in rows and is_selected(senders, i, j, lmap.last))
        for i in rows
    }


def _stack_weights(
    lmap: LayerMap, slots: Mapping[int, tuple[int, ...]]
) -> Float[Array, "rows heard width"]:
    """The matrices of all rows in one array, padded to the widest row and the fullest slots."""
    width = max(lmap[i, i].matrix.shape[-1] for i in slots)
    most = max(map(len, slots.values()))
    empty = jnp.zeros((width, width), lmap[min(slots), min(slots)].matrix.dtype)
    # One array per block and a single stack: nested concatenations compile ten times as long.
    blocks = []
    for i, heard in slots.items():
        blocks += [_pad(lmap[i, j].matrix, (width, width)) for j in heard]
        blocks += [empty] * (most - len(heard))
    return jnp.stack(blocks).reshape(len(slots), most * width, width)


def _heard(
    state: Any, rows: tuple[int, ...], slots: Mapping[int, tuple[int, ...]], width: int
) -> Float[Array, "rows batch heard"]:
    """For each row, the buffers of its slots side by side."""
    most = max(map(len, slots.values()))
    # An empty slot repeats the row's own buffer, above weights of zero: if that one holds
    # NaN, so does the row anyway.
    senders = [[rows.index(j) for j in (*slots[i], *[i] * most)[:most]] for i in rows]
    buffers = jnp.stack([_pad(state[i], (state[i].shape[0], width)) for i in rows])
    heard = buffers[np.asarray(senders)].transpose(0, 2, 1, 3)
    return heard.reshape(len(rows), heard.shape[1], most * width)


def _pad(array: Array, shape: tuple[int, ...]) -> Array:
    widths = [(0, wanted - given) for wanted, given in zip(shape, array.shape, strict=True)]
    return array if array.shape == shape else jnp.pad(array, widths)


def _from_clamped(lmap: LayerMap) -> LayerMap:
    """The same rows, with the edges from clamped buffers alone."""
    rows = lmap.rows()[:-1]
    # Not `from_dict`: edges that share a module hold that module here.
    return LayerMap(
        {
            i: {j: module for j, module in lmap.neighbors(i).items() if j not in rows}
            for i in lmap.rows()
        }
    )
