"""Modules: the edges of a network, each with its dynamics and its own local rule."""

from bionet.modules.chain import FerromagneticChain
from bionet.modules.convolution import Convolution2D, TransposedConvolution2D
from bionet.modules.dense import Dense
from bionet.modules.feedback import LearnedFeedback
from bionet.modules.frozen import FrozenAdapter, FrozenLayer, frozen
from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
from bionet.modules.input_output import OutputLayer
from bionet.modules.interfaces import AbstractAdapter, AbstractLayer, AbstractModule
from bionet.modules.pooling import Pooling2D
from bionet.modules.port import Port, Span
from bionet.modules.recurrent import RecurrentDiscrete
from bionet.modules.recurrent_convolution import RecurrentDiscrete2D
from bionet.modules.reshaping import Reshaped
from bionet.modules.softmax import SoftmaxReadout
from bionet.modules.sparse import SparseFullyConnected, SparseRecurrentDiscrete
from bionet.modules.tanh import RecurrentTanh
from bionet.modules.trained import apply_trained, partition_trained, trained_mask

__all__ = [
    "AbstractAdapter",
    "AbstractLayer",
    "AbstractModule",
    "Convolution2D",
    "Dense",
    "FerromagneticChain",
    "FrozenAdapter",
    "FrozenFullyConnected",
    "FrozenLayer",
    "FullyConnected",
    "LearnedFeedback",
    "OutputLayer",
    "Pooling2D",
    "Port",
    "RecurrentDiscrete",
    "RecurrentDiscrete2D",
    "RecurrentTanh",
    "Reshaped",
    "SoftmaxReadout",
    "Span",
    "SparseFullyConnected",
    "SparseRecurrentDiscrete",
    "TransposedConvolution2D",
    "apply_trained",
    "frozen",
    "partition_trained",
    "trained_mask",
]
