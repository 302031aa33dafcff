"""Modules: the edges of a network, each with its dynamics and its own local rule."""

from bionet._core.leaves import keep_mark
from bionet.modules.dense import Dense
from bionet.modules.feedback import LearnedFeedback
from bionet.modules.ferromagnetic import FerromagneticChain
from bionet.modules.frozen import FrozenAdapter, FrozenLayer, frozen
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.images.convolution import Convolution2D, TransposedConvolution2D
from bionet.modules.images.pooling import Pooling2D
from bionet.modules.images.recurrent_convolution import RecurrentDiscrete2D
from bionet.modules.images.reshaping import Reshaped
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractAdapter, AbstractLayer, AbstractModule
from bionet.modules.port import Port, Span
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.softmax import SoftmaxReadout
from bionet.modules.sparse import SparseFullyConnected, SparseRecurrentDiscrete
from bionet.modules.tanh import RecurrentTanh
from bionet.modules.through_time.cells import (
    AbstractCell,
    AbstractSequenceCell,
    CellChain,
    Synapses,
)
from bionet.modules.through_time.leak import Leak
from bionet.modules.through_time.over_time import over_time
from bionet.modules.through_time.recurrent_spiking import RecurrentSpiking
from bionet.modules.through_time.spiking import (
    LIF,
    AbstractNeuron,
    AdaptiveLIF,
    LeakyIntegrator,
)
from bionet.modules.through_time.state_space import S5
from bionet.modules.through_time.surrogates import SURROGATES, Surrogate
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
