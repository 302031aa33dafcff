"""Orchestrators: in which order the rows of a layer map are updated, and learn."""

from bionet.orchestrators.grouped import GroupedOrchestrator
from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.orchestrators.messages import clamped_messages
from bionet.orchestrators.nested import NestedNetwork
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import Settled, settle
from bionet.orchestrators.stacked import StackedOrchestrator
from bionet.orchestrators.synchronous import SynchronousOrchestrator

__all__ = [
    "AbstractOrchestrator",
    "GroupedOrchestrator",
    "NestedNetwork",
    "SequentialOrchestrator",
    "Settled",
    "StackedOrchestrator",
    "SynchronousOrchestrator",
    "clamped_messages",
    "settle",
]
