"""Asynchronous networks: nodes with rates of their own, messages that take time."""

from bionet.graph.base import (
    TICKS_PER_SECOND,
    ComputationGraph,
    Edge,
    GraphState,
    InputState,
    NodeRecord,
    StepState,
    Vertex,
    Window,
    stack_graphs,
    ticks,
)
from bionet.graph.delays import (
    AbstractDelay,
    ClippedNormal,
    Deterministic,
    Mixture,
    TrainableDelay,
    Uniform,
)
from bionet.graph.generate import augment_graphs, generate_graphs
from bionet.graph.graph import SHARED, Graph
from bionet.graph.network import Network, from_layer_map
from bionet.graph.node import BaseNode, Connection
from bionet.graph.row import Row, RowState, Source
from bionet.graph.supergraph import Supergraph
from bionet.graph.timings import SlotTimings, Timings

__all__ = [
    "SHARED",
    "TICKS_PER_SECOND",
    "AbstractDelay",
    "BaseNode",
    "ClippedNormal",
    "ComputationGraph",
    "Connection",
    "Deterministic",
    "Edge",
    "Graph",
    "GraphState",
    "InputState",
    "Mixture",
    "Network",
    "NodeRecord",
    "Row",
    "RowState",
    "SlotTimings",
    "Source",
    "StepState",
    "Supergraph",
    "Timings",
    "TrainableDelay",
    "Uniform",
    "Vertex",
    "Window",
    "augment_graphs",
    "from_layer_map",
    "generate_graphs",
    "stack_graphs",
    "ticks",
]
