"""Named groups of rows: at once within a group, one group after the other.

Between all at once and one by one there is everything else: the areas of a sensory
stream in parallel and the motor areas after them, or the odd rows of a deep network and
then the even ones. A group has a name, because it stands for something; states and
layer maps keep their integer keys.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

import equinox as eqx
from jaxtyping import Array

from bionet._core.names import unknown
from bionet.layer_maps.senders import Senders
from bionet.layer_maps.sparse import Edge, LayerMap
from bionet.orchestrators.interface import AbstractOrchestrator, Rng, S, Stepper
from bionet.orchestrators.synchronous import update_at_once
from bionet.orchestrators.wiring import runnable

Groups = tuple[tuple[str, tuple[int, ...]], ...]
_OWNER = "GroupedOrchestrator"


@final
class GroupedOrchestrator(AbstractOrchestrator):
    """Updates the rows of one group at once, and the groups in the order given.

    It is the right one where rows belong together. Two cases: branches that meet later (an
    eye and an ear, which do not hear each other, then what hears both), where the groups
    write down what may run in parallel; and a chain in which a row hears its neighbours
    alone, where all odd rows and then all even ones are two updates that do what one row
    after the other would do, and that settle as well.

    One group for each row, in ascending order, is `SequentialOrchestrator`; one group of
    all rows is `SynchronousOrchestrator`.

    Args:
        layers: the network; each row needs a layer on its diagonal.
        groups: the rows of each group, by name. Each row but the last is in exactly one.
            The last row may be in one as well, where it belongs; `step` leaves it alone
            all the same, because `predict` is what writes it.

    Raises:
        TypeError: `layers` is no `LayerMap`, or `groups` no dict of names and rows.
        ValueError: a row without a diagonal; a group that is empty or names a row that
            the map does not have; a row in two groups, or in none.

    Example:
        ```python
        import jax
        import jax.numpy as jnp
        from bionet import FullyConnected, GroupedOrchestrator, LayerMap, OutputLayer
        from bionet import RecurrentDiscrete, SequentialState

        k = jax.random.split(jax.random.key(0), 5)
        lmap = LayerMap.from_dict(
            {
                1: {
                    0: FullyConnected(4, 8, 1.0, 0.5, k[0]),
                    1: RecurrentDiscrete(8, 0.5, 0.5, k[1]),
                },
                2: {
                    1: FullyConnected(8, 8, 1.0, 0.5, k[2]),
                    2: RecurrentDiscrete(8, 0.5, 0.5, k[3]),
                },
                3: {2: FullyConnected(8, 2, 1.0, 0.5, k[4]), 3: OutputLayer()},
            }
        )
        network = GroupedOrchestrator(layers=lmap, groups={"sensory": (1, 2), "motor": (3,)})
        state = SequentialState((4, 8, 8, 2)).init(jnp.ones((5, 4)))
        state, _ = network.step(state, rng=None)
        print(network.rows_in("sensory"), state[2].shape)
        ```
    """

    lmap: LayerMap
    groups: Groups = eqx.field(static=True)

    def __init__(self, layers: LayerMap, groups: Mapping[str, Sequence[int]]) -> None:
        self.lmap = runnable(_OWNER, layers)
        self.groups = _check(groups, self.lmap)

    def rows_in(self, name: str) -> tuple[int, ...]:
        """The rows of a group, ascending.

        Raises:
            ValueError: no group has this name; the nearest are named.
        """
        groups = dict(self.groups)
        if name not in groups:
            raise ValueError(f"{_OWNER}: {unknown('group', name, groups)}")
        return groups[name]

    def stepper(self, senders: Senders, known: Mapping[Edge, Array]) -> Stepper:
        """A step that updates group after group, the last row left out."""
        last = self.lmap.last
        groups = [[i for i in rows if i != last] for _, rows in self.groups]

        def step(state: S, rng: Rng) -> tuple[S, Rng]:
            for rows in groups:
                state, rng = update_at_once(self.lmap, state, rows, senders, rng, known)
            return state, rng

        return step


def _check(groups: Any, lmap: LayerMap) -> Groups:
    """The groups as a static tuple, if each row but the last is in exactly one of them."""
    if not isinstance(groups, Mapping):
        raise TypeError(
            f"{_OWNER}: groups needs a dict of names and rows, such as "
            f'{{"sensory": (1, 2), "motor": (3,)}}, got {groups!r}.'
        )
    checked = tuple((_name(name), _rows(name, rows, lmap)) for name, rows in groups.items())
    _check_each_row_once(checked, lmap)
    return checked


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(
            f"{_OWNER}: groups needs names that are strings, got {name!r}; it maps a name to its "
            'rows, as in {"sensory": (1, 2)}.'
        )
    return name


def _rows(name: str, rows: Any, lmap: LayerMap) -> tuple[int, ...]:
    if isinstance(rows, str) or not isinstance(rows, Iterable):
        raise TypeError(
            f"{_OWNER}: group {name!r} needs a tuple of rows, got {rows!r}; write (1,) for the row "
            "1 alone."
        )
    found = tuple(sorted(_row(name, row, lmap) for row in rows))
    if not found:
        raise ValueError(f"{_OWNER}: group {name!r} has no rows; give it some, or leave it out.")
    return found


def _row(name: str, row: Any, lmap: LayerMap) -> int:
    try:
        if isinstance(row, bool):
            raise TypeError
        number = operator.index(row)
    except TypeError:
        raise TypeError(f"{_OWNER}: group {name!r} needs ints, got the row {row!r}.") from None
    if number not in lmap:
        nearest = min(lmap.rows(), key=lambda i: abs(i - number))
        raise ValueError(
            f"{_OWNER}: group {name!r} names row {number}, but the layer map has rows "
            f"{', '.join(map(str, lmap.rows()))}. Did you mean {nearest}?"
        )
    return number


def _check_each_row_once(groups: Groups, lmap: LayerMap) -> None:
    homes: dict[int, str] = {}
    for name, rows in groups:
        for i in rows:
            if i in homes:
                raise ValueError(
                    f"{_OWNER}: row {i} is in group {homes[i]!r} and again in group {name!r}; a "
                    "row is updated once in a step."
                )
            homes[i] = name
    missing = [i for i in lmap.rows()[:-1] if i not in homes]
    if missing:
        raise ValueError(
            f"{_OWNER}: row {missing[0]} is in no group; each row but the last, {lmap.last}, needs "
            f"one of {', '.join(map(repr, dict(groups))) or 'them, and there is none'}."
        )
