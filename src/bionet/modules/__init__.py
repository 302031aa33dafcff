"""Modules: the edges of a network, each with its dynamics and its own local rule."""

from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractAdapter, AbstractLayer, AbstractModule
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.trained import apply_trained, partition_trained, trained_mask

__all__ = [
    "AbstractAdapter",
    "AbstractLayer",
    "AbstractModule",
    "FrozenFullyConnected",
    "FullyConnected",
    "OutputLayer",
    "RecurrentDiscrete",
    "apply_trained",
    "partition_trained",
    "trained_mask",
]
