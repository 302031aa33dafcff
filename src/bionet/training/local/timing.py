"""Timing: when the layers of a network are updated, and how late they hear each other.

A workload whose network has no clock holds a `Timing`; the method `async-two-phase` makes one for
any other network of a layer map. `run_in_time` turns it into the nodes and the compiled graph.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, final

import jax

from bionet.graph.delays import ClippedNormal
from bionet.graph.from_layer_map.edges import Delay
from bionet.graph.from_layer_map.network import Network, from_layer_map
from bionet.graph.graph import Graph
from bionet.graph.schedule.generate import generate_graphs
from bionet.layer_maps.shared import Edge
from bionet.layer_maps.sparse import LayerMap
from bionet.training.workload import WorkloadLike

SPARE = 3
"""Steps of the supervisor by which an episode is longer than both phases."""


@final
@dataclass(frozen=True)
class Timing:
    """Rates, delays and the schedules that are drawn from them."""

    rate_in: float = 50.0  # Hz at which the input is sent
    rate_hidden: float = 40.0  # Hz at which the hidden rows are updated
    rate_out: float = 20.0  # Hz at which the output is
    taking: float = 0.005  # seconds that an update takes
    delay: float = 0.01  # seconds that a message travels
    jitter: float = 0.25  # standard deviation of both, as a share of them
    window: int = 1  # messages of each sender that a row hears at once
    episodes: int = 8  # schedules to train on, and as many others to answer by
    clamped: int = 10  # steps of the output with the label
    free: int = 10  # its steps without the label


@functools.cache
def run_in_time(
    workload: WorkloadLike, config: Any, timing: Timing, *, learning: bool
) -> tuple[Network, Graph]:
    """The network of a workload in time, with schedules for learning or others for answering.

    Args:
        workload: whose network is an orchestrator.
        config: of the workload.
        timing: rates, delays, and the length of the phases.
        learning: whether the rows add up what they learn.

    Returns:
        The nodes, and their compiled graph; the same objects for the same arguments.
    """
    with jax.ensure_compile_time_eval():  # it may be asked for first inside a trace
        return _run_in_time(workload, config, timing, learning)


def _run_in_time(
    workload: WorkloadLike, config: Any, timing: Timing, learning: bool
) -> tuple[Network, Graph]:
    # For its edges; the model has the weights.
    lmap: LayerMap = workload.build(config, jax.random.key(0)).lmap
    rates = dict.fromkeys((0, *lmap.rows()), timing.rate_hidden)
    rates |= {0: timing.rate_in, lmap.last: timing.rate_out}
    takes = ClippedNormal(timing.taking, timing.jitter * timing.taking)
    late = ClippedNormal(timing.delay, timing.jitter * timing.delay)
    delays: dict[Edge | int, Delay] = {**dict.fromkeys(rates, takes), **dict.fromkeys(lmap, late)}
    accumulate = "accumulate" if learning else None
    nodes = from_layer_map(lmap, rates, delays, timing.window, learning=accumulate)
    seconds = (timing.clamped + timing.free + SPARE) / timing.rate_out
    graphs = generate_graphs(nodes.nodes, seconds, int(learning), timing.episodes)
    return nodes, Graph(nodes.nodes, nodes.name(lmap.last), graphs, progress_bar=False)
