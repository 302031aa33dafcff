"""States: what a network's buffers hold at one moment, as immutable pytrees."""

from bionet.states.interface import AbstractState
from bionet.states.sequential import SequentialState

__all__ = ["AbstractState", "SequentialState"]
