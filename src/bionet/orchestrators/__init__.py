"""Orchestrators: in which order the rows of a layer map are updated, and learn."""

from bionet.orchestrators.interface import AbstractOrchestrator
from bionet.orchestrators.messages import clamped_messages
from bionet.orchestrators.sequential import SequentialOrchestrator
from bionet.orchestrators.settle import Settled, settle

__all__ = [
    "AbstractOrchestrator",
    "SequentialOrchestrator",
    "Settled",
    "clamped_messages",
    "settle",
]
