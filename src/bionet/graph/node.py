"""A node: a thing that ticks at its own rate, reads its inputs, and sends what it makes.

A node says what it needs to start with (`init_params`, `init_state`, `init_output`,
`init_inputs`) and what one step does (`step`). When it ticks, how long a step takes and which
messages it has seen by then is not its business: that is drawn beforehand, by
`generate_graphs`, or was recorded. A node therefore holds no array that changes. It may be
shared by many graphs, and what it learns is in the graph state.
"""

from __future__ import annotations

import abc
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from bionet._core.leaves import is_key
from bionet.graph.base import TICKS_PER_SECOND, ticks
from bionet.graph.delays import AbstractDelay, TrainableDelay, as_delay
from bionet.graph.state import GraphState, InputState, StepState


@final
@dataclass(frozen=True)
class Connection:
    """One input of a node.

    Args:
        receiver: the name of the node that reads it.
        name: the input's name there.
        sender: the node whose outputs arrive.
        window: how many messages a step sees.
        delay: how long a message travels.
        skip: whether a message that arrives exactly when a step starts waits for the next step.
    """

    receiver: str
    name: str
    sender: BaseNode
    window: int
    delay: AbstractDelay
    skip: bool


class BaseNode(abc.ABC):
    """A node of an asynchronous network: derive from it, and say what a step does.

    Args:
        name: unique in its graph.
        rate: ticks per second; read as the nearest fraction of small numbers, so that nodes
            at 30 and at 10 Hz meet at every third tick for ever.
        delay: how long a step takes, in seconds or as a distribution. A step sends its output
            when it ends, and the next one waits for that.
        phase: when the first tick is, in seconds.

    Attributes:
        effects: whether a step has an effect besides what it returns, such as a callback or a
            print. Such a step is run under `jax.lax.cond`, so that the effect takes place once
            for each step of the schedule. None finds that out from what JAX knows of the step;
            True is for what it does not know, such as a `pure_callback` that must not be called
            in vain; False is for effects that may also take place where the node does not run,
            on inputs that mean nothing. See `bionet.graph.run.idle`.

    Raises:
        TypeError: a name that is no string, a rate or a phase that is no number.
        ValueError: an empty name, a rate that is not above 0 or is faster than time is counted,
            a negative delay or phase.

    Example:
        ```python
        import jax.numpy as jnp
        from bionet.graph import BaseNode

        class Integrator(BaseNode):
            def init_state(self, rng=None, graph_state=None):
                return jnp.zeros(3)

            def init_output(self, rng=None, graph_state=None):
                return jnp.zeros(3)

            def step(self, step_state):
                total = sum(seen.data.sum(0) for seen in step_state.inputs.values())
                state = 0.9 * step_state.state + total
                return step_state.replace(state=state), state

        left, right = Integrator("left", rate=50), Integrator("right", rate=20, delay=0.01)
        right.connect(left, window=2, delay=0.003)
        left.connect(right)
        print(dict(right.inputs))
        ```
    """

    effects: bool | None = None

    def __init__(
        self,
        name: str,
        rate: float,
        delay: AbstractDelay | float = 0.0,
        phase: float = 0.0,
    ) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{type(self).__name__}: name needs a string, got {name!r}.")
        if not name:
            raise ValueError(f"{type(self).__name__}: name needs a letter at least, got ''.")
        where = f"Node {name!r}"
        self.name = name
        self.rate = _rate(where, rate)
        self.delay = as_delay(where, delay)
        if isinstance(self.delay, TrainableDelay):
            raise TypeError(
                f"{where}: how long a step takes is drawn and not trained; put the "
                "TrainableDelay on the connections of those who listen to it."
            )
        self.phase = _number(where, "phase", phase)
        if not (math.isfinite(self.phase) and self.phase >= 0):
            raise ValueError(f"{where}: phase needs finite seconds, 0 or more, got {phase}.")
        self._inputs: dict[str, Connection] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, rate={float(self.rate):g})"

    @property
    def inputs(self) -> Mapping[str, Connection]:
        """The connections that this node reads, by the input's name; read-only."""
        return MappingProxyType(self._inputs)

    def connect(
        self,
        sender: BaseNode,
        window: int = 1,
        delay: AbstractDelay | float = 0.0,
        skip: bool = False,
        name: str | None = None,
    ) -> Connection:
        """Lets this node read what `sender` sends.

        Args:
            sender: a node, which may be this one.
            window: how many messages a step sees, the newest ones.
            delay: how long a message travels, in seconds or as a distribution.
            skip: a message that arrives exactly when a step starts is seen by the next step.
                Without it, the step sees it. A loop of connections without delay needs one skip.
            name: of the input, unique in this node; None for the sender's name.

        Raises:
            TypeError: a sender that is no node, a window that is no int.
            ValueError: a window below 1 or too small for a trainable delay, or a name taken.
        """
        if not isinstance(sender, BaseNode):
            raise TypeError(f"Node {self.name!r}: connect needs a node as sender, got {sender!r}.")
        name = sender.name if name is None else name
        where = f"Node {self.name!r}: input {name!r}"
        if name in self._inputs:
            raise ValueError(
                f"{where} is there already; give a second connection a name of its own."
            )
        delay = as_delay(where, delay)
        connection = Connection(
            self.name, name, sender, _window(where, window, delay, sender), delay, bool(skip)
        )
        self._inputs[name] = connection
        return connection

    def ticks_until(self, end: int) -> Int[np.ndarray, " count"]:
        """Lists the ticks of this node before the instant `end`; all of it in ticks of the clock.

        Each tick is rounded down from its exact place, so that no error adds up and instants
        that coincide are at one number.
        """
        per_tick = Fraction(TICKS_PER_SECOND) / self.rate
        start = int(ticks(self.phase))
        count = max(0, math.ceil((end - start) / per_tick))
        if count < 2:
            return np.full(count, start)
        return start + np.arange(count) * per_tick.numerator // per_tick.denominator

    def init_params(
        self, rng: PRNGKeyArray | None = None, graph_state: GraphState | None = None
    ) -> PyTree:
        """The parameters, a pytree; none, if it is left as it is."""
        return {}

    def init_state(
        self, rng: PRNGKeyArray | None = None, graph_state: GraphState | None = None
    ) -> PyTree:
        """The state before the first step, a pytree; none, if it is left as it is."""
        return {}

    @abc.abstractmethod
    def init_output(
        self, rng: PRNGKeyArray | None = None, graph_state: GraphState | None = None
    ) -> PyTree[Array]:
        """Returns the output before the first step has ended; every output has its shape."""

    def init_inputs(
        self, rng: PRNGKeyArray | None = None, graph_state: GraphState | None = None
    ) -> dict[str, InputState]:
        """The windows before the first message: filled with what each sender has to start with."""
        count = len(self._inputs)
        keys = [None] * count if rng is None else jax.random.split(rng, count)
        return {
            name: blank_window(connection.sender.init_output(key, graph_state), connection.window)
            for (name, connection), key in zip(self._inputs.items(), keys, strict=True)
        }

    @abc.abstractmethod
    def step(self, step_state: StepState) -> tuple[StepState, PyTree[Array]]:
        """One step: from what it sees to its next state and its output.

        Args:
            step_state: the inputs as they are when the step starts.

        Returns:
            The step state with another `state` (and `params`, if they learn), and the output.
        """


Nodes = Mapping[str, BaseNode] | Sequence[BaseNode]
"""The nodes of a network: by their names, or one after the other."""


def by_name(nodes: Nodes) -> dict[str, BaseNode]:
    """The nodes by their names, sorted, with every sender among them.

    Raises:
        TypeError: something that is no node.
        ValueError: no nodes, two of one name, a key that is not the node's name, or a sender
            that is not among them.
    """
    if isinstance(nodes, BaseNode) or not isinstance(nodes, Iterable):
        raise TypeError(f"nodes: needs nodes by their names or in a list, got {nodes!r}.")
    items = list(nodes.items()) if isinstance(nodes, Mapping) else [(None, n) for n in nodes]
    found: dict[str, BaseNode] = {}
    for key, node in items:
        if not isinstance(node, BaseNode):
            raise TypeError(f"nodes: needs nodes, got {node!r}.")
        if key not in (None, node.name):
            raise ValueError(f"nodes: node {node.name!r} is under the key {key!r}; use its name.")
        if node.name in found:
            raise ValueError(f"nodes: two nodes are named {node.name!r}; a name is for one.")
        found[node.name] = node
    if not found:
        raise ValueError("nodes: needs one node at least, got none.")
    for node in found.values():
        for connection in node.inputs.values():
            if found.get(connection.sender.name) is not connection.sender:
                raise ValueError(
                    f"nodes: node {node.name!r} listens to {connection.sender.name!r}, which is "
                    "not among them; hand over every node that takes part."
                )
    return dict(sorted(found.items()))


def as_generator(rng: np.random.Generator | PRNGKeyArray | int) -> np.random.Generator:
    """A NumPy generator: as it came, or seeded by an int or by a JAX key of either style."""
    if isinstance(rng, np.random.Generator):
        return rng
    if is_key(rng):
        rng = jax.random.key_data(rng)
    try:
        return np.random.default_rng(np.asarray(rng).ravel().tolist())
    except (TypeError, ValueError):
        raise TypeError(
            f"rng needs a seed of 0 or more, a key, or a NumPy generator, got {rng!r}."
        ) from None


def begins_by_itself(node: BaseNode) -> bool:
    """Returns whether a node says itself what its windows hold before the first message."""
    return type(node).init_inputs is not BaseNode.init_inputs


def blank_window(output: PyTree[Array], window: int) -> InputState:
    """A window that no message has reached yet, filled with the sender's default output."""
    none, zero = jnp.full(window, -1, jnp.int32), jnp.zeros(window, jnp.int32)
    data = jax.tree.map(lambda x: jnp.broadcast_to(x, (window, *jnp.shape(x))), output)
    return InputState(seq=none, ts_sent=zero, ts_recv=zero, data=data)


def _number(where: str, name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction | np.number):
        raise TypeError(f"{where}: {name} needs a number, got {value!r}.")
    return float(value)


def _rate(where: str, rate: float) -> Fraction:
    hertz = _number(where, "rate", rate)
    if not 0 < hertz <= TICKS_PER_SECOND:
        raise ValueError(
            f"{where}: rate needs to be above 0 Hz and at most {TICKS_PER_SECOND:,} Hz, got {rate}."
        )
    # A fraction is meant more exactly than a float, but ticks have to fit into 64 bits.
    most = 1_000_000 if isinstance(rate, Fraction) else 1000
    exact = Fraction(rate if isinstance(rate, Fraction) else hertz)
    if hertz >= 1:
        return exact.limit_denominator(most)
    return 1 / (1 / exact).limit_denominator(most)


def _window(where: str, window: int, delay: AbstractDelay, sender: BaseNode) -> int:
    try:
        if isinstance(window, bool):
            raise TypeError
        window = operator.index(window)
    except TypeError:
        raise TypeError(f"{where}: window needs an int, got {window!r}.") from None
    least, why = 1, ""
    if isinstance(delay, TrainableDelay):
        least = delay.window_for(float(sender.rate))
        why = f" to cover delays from {delay.low} to {delay.high} s"
    if window < least:
        raise ValueError(f"{where}: window needs {least} or more{why}, got {window}.")
    return window
