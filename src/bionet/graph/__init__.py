"""Asynchronous networks: nodes with rates of their own, messages that take time."""

from bionet.graph.base import TICKS_PER_SECOND, Edge, Vertex, ticks
from bionet.graph.delays import (
    AbstractDelay,
    ClippedNormal,
    Deterministic,
    Mixture,
    TrainableDelay,
    Uniform,
)
from bionet.graph.from_layer_map.network import Network, from_layer_map
from bionet.graph.from_layer_map.row import Row, RowState, Source
from bionet.graph.graph import SHARED, Graph
from bionet.graph.node import BaseNode, Connection
from bionet.graph.schedule.computation_graph import ComputationGraph, stack_graphs
from bionet.graph.schedule.generate import augment_graphs, generate_graphs
from bionet.graph.schedule.supergraph import Supergraph
from bionet.graph.schedule.timings import SlotTimings, Timings
from bionet.graph.state import GraphState, InputState, NodeRecord, StepState, Window

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
