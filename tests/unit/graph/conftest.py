"""Nodes that tick and say nothing, and the pipeline that the tests of the schedule share."""

from collections.abc import Callable

import jax.numpy as jnp
import pytest

from bionet.graph import BaseNode, ClippedNormal


class Quiet(BaseNode):
    """Sends zeros; only when it ticks and whom it hears matters here."""

    def init_output(self, rng=None, graph_state=None):
        return jnp.zeros(2)

    def step(self, step_state):
        return step_state, jnp.zeros(2)


@pytest.fixture(scope="session")
def quiet() -> type[BaseNode]:
    """`quiet(name, rate, delay=..., phase=...)` is a node whose messages are zeros."""
    return Quiet


@pytest.fixture(scope="session")
def pipeline() -> Callable[..., list[BaseNode]]:
    """Sensor 50 Hz, hidden 20 Hz, agent 10 Hz, actuator 50 Hz that the sensor hears; jitter."""

    def make(share: float = 0.2, jitter: float = 0.25) -> list[BaseNode]:
        def delay(rate: float) -> ClippedNormal:
            return ClippedNormal(share / rate, jitter * share / rate)

        rates = {"sensor": 50, "hidden": 20, "agent": 10, "actuator": 50}
        nodes = [Quiet(name, rate, delay=delay(rate)) for name, rate in rates.items()]
        for sender, receiver in zip(nodes, nodes[1:] + nodes[:1], strict=True):
            receiver.connect(sender, window=2, delay=delay(50))
        return nodes

    return make
