"""Modules: the edges of a network, each with its dynamics and its own local rule."""

from bionet._core.absent_fields import keep_mark
from bionet.modules.cells import AbstractCell, AbstractSequenceCell, CellChain, Synapses
from bionet.modules.chain import FerromagneticChain
from bionet.modules.convolution import Convolution2D, TransposedConvolution2D
from bionet.modules.dense import Dense
from bionet.modules.feedback import LearnedFeedback
from bionet.modules.frozen import FrozenAdapter, FrozenLayer, frozen
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractAdapter, AbstractLayer, AbstractModule
from bionet.modules.leak import Leak
from bionet.modules.over_time import over_time
from bionet.modules.pooling import Pooling2D
from bionet.modules.port import Port, Span
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.recurrent_convolution import RecurrentDiscrete2D
from bionet.modules.recurrent_spiking import RecurrentSpiking
from bionet.modules.reshaping import Reshaped
from bionet.modules.softmax import SoftmaxReadout
from bionet.modules.sparse import SparseFullyConnected, SparseRecurrentDiscrete
from bionet.modules.spiking import (
    LIF,
    AbstractNeuron,
    AdaptiveLIF,
    LeakyIntegrator,
)
from bionet.modules.state_space import S5
from bionet.modules.surrogates import SURROGATES, Surrogate
from bionet.modules.tanh import RecurrentTanh
from bionet.modules.trained import apply_trained, partition_trained, trained_mask

__all__ = [
    "LIF",
    "S5",
    "SURROGATES",
    "AbstractAdapter",
    "AbstractCell",
    "AbstractLayer",
    "AbstractModule",
    "AbstractNeuron",
    "AbstractSequenceCell",
    "AdaptiveLIF",
    "CellChain",
    "Convolution2D",
    "Dense",
    "FerromagneticChain",
    "FrozenAdapter",
    "FrozenFullyConnected",
    "FrozenLayer",
    "FullyConnected",
    "Leak",
    "LeakyIntegrator",
    "LearnedFeedback",
    "OutputLayer",
    "Pooling2D",
    "Port",
    "RecurrentDiscrete",
    "RecurrentDiscrete2D",
    "RecurrentSpiking",
    "RecurrentTanh",
    "Reshaped",
    "SoftmaxReadout",
    "Span",
    "SparseFullyConnected",
    "SparseRecurrentDiscrete",
    "Surrogate",
    "Synapses",
    "TransposedConvolution2D",
    "apply_trained",
    "frozen",
    "over_time",
    "partition_trained",
    "trained_mask",
]

# Whatever is made of modules, a user's own included, has the same tree structure as its copies.
keep_mark()
