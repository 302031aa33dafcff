"""A network as a sparse square of modules: row `i`, column `j` carries `j`'s messages to `i`.

The order of every pair is (receiver, sender). `j < i` is forward, `j = i` recurrent,
`j > i` backward. A row that is absent, the input's, is clamped: nothing ever writes
its buffer.

A layer map is a pytree. Its modules are the children and its integer keys belong to
the structure, so `jit`, `eqx.filter`, `optax` and `eqx.tree_at` take it as it is. All
that can be wrong about a wiring is found when it is built, and named by its edge.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self, final

import equinox as eqx
import jax

from bionet.layer_maps.senders import Senders, is_selected
from bionet.layer_maps.shared import Edge, Shared, check_own_modules, resolve
from bionet.modules.interfaces import AbstractLayer, AbstractModule


@final
class LayerMap(eqx.Module):
    """The modules of a network by (receiver, sender); make one with `from_dict`.

    Example:
        ```python
        import jax
        from bionet.layer_maps.sparse import LayerMap
        from bionet.modules.fully_connected import FullyConnected
        from bionet.modules.input_output import OutputLayer
        from bionet.modules.recurrent import RecurrentDiscrete

        k = jax.random.split(jax.random.key(0), 3)
        lmap = LayerMap.from_dict(
            {
                1: {
                    0: FullyConnected(4, 8, 1.0, 0.5, k[0]),
                    1: RecurrentDiscrete(8, 0.5, 0.5, k[1]),
                },
                2: {1: FullyConnected(8, 2, 1.0, 0.5, k[2]), 2: OutputLayer()},
            }
        )
        print(lmap.rows(), lmap.cols_of(1), (1, 2) in lmap, lmap[1, 0].W.shape)
        ```
    """

    _rows: dict[int, dict[int, AbstractModule | Shared]]

    @classmethod
    def from_dict(
        cls,
        rows: Mapping[int, Mapping[int, AbstractModule | Shared]],
        require_diagonal: bool = True,
    ) -> Self:
        """A layer map from `{receiver: {sender: module}}`.

        Args:
            rows: the modules. A buffer without a row is clamped, as the input is. In place
                of a module, `Shared(receiver, sender)` is the very module of another edge.
            require_diagonal: whether each row needs a layer at (i, i). Orchestrators do;
                maps that are only carried about do not.

        Raises:
            TypeError: keys that are no ints, values that are no modules, a diagonal that
                is no layer.
            ValueError: an edge to a buffer that does not exist, a missing diagonal, a row
                for the input, an edge that shares a module which is not there, one module at
                two edges without `Shared`, or two edges that disagree about the shape of a
                buffer.
        """
        built = {i: _check_row(i, row) for i, row in sorted(_int_keys("row", rows).items())}
        _check_indices(built)
        resolved = {i: {j: resolve(built, (i, j)) for j in row} for i, row in built.items()}
        _check_diagonal(resolved, require_diagonal)
        _check_shapes(resolved)
        check_own_modules(built)
        return cls(built)

    def __getitem__(self, key: int | Edge) -> Any:
        """`lmap[i, j]` is a module, `lmap[i]` the read-only row of `i` by sender."""
        if isinstance(key, tuple):
            receiver, sender = key
            row = self._row(receiver)
            if sender not in row:
                raise KeyError(
                    f"The layer map has no edge ({receiver}, {sender}); row {receiver} "
                    f"has senders {', '.join(map(str, row))}."
                )
            return row[sender]
        return self.neighbors(key)

    def __contains__(self, key: object) -> bool:
        """Returns whether the edge (receiver, sender), or the row of a receiver, is there."""
        if isinstance(key, tuple) and len(key) == 2:
            return key[1] in self._rows.get(key[0], {})
        return key in self._rows

    def __iter__(self) -> Iterator[Edge]:
        """Each (receiver, sender), ascending."""
        return ((i, j) for i, row in self._rows.items() for j in row)

    def __len__(self) -> int:
        """The number of edges."""
        return sum(len(row) for row in self._rows.values())

    def rows(self) -> tuple[int, ...]:
        """The receivers, ascending."""
        return tuple(self._rows)

    @property
    def last(self) -> int:
        """The last row, whose buffer is the output."""
        return max(self._rows)

    def cols_of(self, receiver: int) -> tuple[int, ...]:
        """The senders of a row, ascending."""
        return tuple(self._row(receiver))

    def neighbors(self, receiver: int) -> Mapping[int, AbstractModule]:
        """The read-only row of a receiver: its modules by sender."""
        return MappingProxyType(self._row(receiver))

    def owner(self, edge: Edge) -> Edge:
        """The edge whose module `edge` uses: itself, unless it shares another's."""
        found = self._rows[edge[0]][edge[1]]
        return found.edge if isinstance(found, Shared) else edge

    def users(self, edge: Edge) -> tuple[Edge, ...]:
        """The edges that use the module of `edge`, ascending; that is itself for most."""
        return tuple(other for other in self if self.owner(other) == edge)

    def row_items(
        self, skip_last: bool = False, senders: Senders = "all"
    ) -> Iterator[tuple[int, Mapping[int, AbstractModule]]]:
        """Each receiver with its modules by sender, ascending.

        Args:
            skip_last: leave out the output's row.
            senders: only the modules from these senders.
        """
        for i in self.rows()[:-1] if skip_last else self.rows():
            kept = {
                j: module
                for j, module in self._row(i).items()
                if is_selected(senders, i, j, self.last)
            }
            yield i, MappingProxyType(kept)

    def edge_items(self) -> Iterator[tuple[Edge, AbstractModule]]:
        """Each ((receiver, sender), module), ascending; a shared module comes at each edge."""
        for i in self._rows:
            for j, module in self._row(i).items():
                yield (i, j), module

    def to_dict(self) -> dict[int, dict[int, AbstractModule | Shared]]:
        """A fresh `{receiver: {sender: module}}`, as `from_dict` takes it."""
        return {i: dict(row) for i, row in self._rows.items()}

    def map_edges(self, change: Callable[[Edge, AbstractModule], Any]) -> Self:
        """A map of the same wiring, with `change((receiver, sender), module)` at each edge.

        An edge that shares another's module goes on sharing it, and is not asked. Nothing is
        checked again, so that maps of pseudo-gradients, masks or rates can be
        made this way as well.
        """
        return type(self)(
            {
                i: {
                    j: module if isinstance(module, Shared) else change((i, j), module)
                    for j, module in row.items()
                }
                for i, row in self._rows.items()
            }
        )

    def _row(self, receiver: int) -> dict[int, AbstractModule]:
        if receiver not in self._rows:
            raise KeyError(
                f"The layer map has no row {receiver!r}; it has rows "
                f"{', '.join(map(str, self._rows))}."
            )
        return {j: resolve(self._rows, (receiver, j)) for j in self._rows[receiver]}


def leaf_name(path: tuple[Any, ...]) -> str:
    """The words for a leaf at a JAX key path: its edge, where it lies in a layer map.

    Returns:
        For example `edge (1, 0), leaf W`, or the path as JAX writes it for other trees.
    """
    for position, entry in enumerate(path):
        if isinstance(entry, jax.tree_util.GetAttrKey) and entry.name == "_rows":
            receiver, sender = (key.key for key in path[position + 1 : position + 3])
            rest = jax.tree_util.keystr(path[position + 3 :]).lstrip(".")
            return f"edge ({receiver}, {sender}), leaf {rest}"
    return f"leaf {jax.tree_util.keystr(path)}"


def _int_keys(kind: str, mapping: Any) -> dict[int, Any]:
    if not isinstance(mapping, Mapping):
        raise TypeError(
            f"LayerMap.from_dict: {kind} needs a dict with int keys, got {type(mapping).__name__}."
        )
    return {_int_key(kind, key): value for key, value in mapping.items()}


def _int_key(kind: str, key: Any) -> int:
    try:
        if isinstance(key, bool):
            raise TypeError
        return operator.index(key)
    except TypeError:
        raise TypeError(
            f"LayerMap.from_dict: {kind} keys are buffer numbers and need to be ints, got {key!r}."
        ) from None


def _check_row(receiver: int, row: Any) -> dict[int, AbstractModule | Shared]:
    modules = _int_keys(f"row {receiver}", row)
    for sender, module in modules.items():
        if not isinstance(module, AbstractModule | Shared):
            raise TypeError(
                f"LayerMap.from_dict: edge ({receiver}, {sender}) needs a bionet module, "
                f"got {type(module).__name__}."
            )
    return dict(sorted(modules.items()))


def _check_indices(rows: dict[int, dict[int, AbstractModule | Shared]]) -> None:
    if not rows:
        raise ValueError("LayerMap.from_dict: needs one row at least, got an empty dict.")
    if min(rows) < 1:
        raise ValueError(
            f"LayerMap.from_dict: row {min(rows)} can't receive: buffer 0 is the input, and "
            "there are no negative buffers. Number the rows from 1."
        )
    last = max(rows)
    for i, row in rows.items():
        for j in row:
            if not 0 <= j <= last:
                raise ValueError(
                    f"LayerMap.from_dict: edge ({i}, {j}) listens to buffer {j}, but the last "
                    f"row is {last}, so there are buffers 0 to {last}."
                )


def _check_diagonal(rows: dict[int, dict[int, AbstractModule]], required: bool) -> None:
    for i, row in rows.items():
        if i not in row:
            if required:
                raise ValueError(
                    f"LayerMap.from_dict: edge ({i}, {i}) is missing; each row needs a layer on "
                    "its diagonal, which sums up the messages (or pass require_diagonal=False)."
                )
        elif not isinstance(row[i], AbstractLayer):
            raise TypeError(
                f"LayerMap.from_dict: edge ({i}, {i}) needs a layer (with reduce and "
                f"activation), got the adapter {type(row[i]).__name__}."
            )


def _check_shapes(rows: dict[int, dict[int, AbstractModule]]) -> None:
    said: dict[int, tuple[Edge, tuple[int, ...]]] = {}
    for i, row in rows.items():
        for j, module in row.items():
            for buffer, shape in ((i, module.receiver_shape), (j, module.sender_shape)):
                if shape is None:
                    continue
                edge, known = said.setdefault(buffer, ((i, j), shape))
                if known != shape:
                    raise ValueError(
                        f"LayerMap.from_dict: edge ({i}, {j}) needs buffer {buffer} of shape "
                        f"{shape}, but edge {edge} needs it of shape {known}."
                    )
