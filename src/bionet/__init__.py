"""bionet: networks that are not ordinary feed-forward ones, and what training each costs.

`from bionet import zoo; zoo.get("prototypes-local").demo()` shows one that learns. The names
below are the ones that most programs need. Each is imported when it is first asked for, so
that `import bionet` loads neither JAX nor NumPy, and `bionet list` answers at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bionet._core.lazy_names import lazy_names

if TYPE_CHECKING:
    from bionet import (
        cli,
        datasets,
        experimental,
        graph,
        interop,
        layer_maps,
        modules,
        orchestrators,
        plotting,
        rules,
        states,
        studies,
        training,
        workloads,
        zoo,
    )
    from bionet.layer_maps.sparse import LayerMap
    from bionet.modules.feedback import LearnedFeedback
    from bionet.modules.ferromagnetic import FerromagneticChain
    from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
    from bionet.modules.images.convolution import Convolution2D, TransposedConvolution2D
    from bionet.modules.images.pooling import Pooling2D
    from bionet.modules.images.recurrent_convolution import RecurrentDiscrete2D
    from bionet.modules.images.reshaping import Reshaped
    from bionet.modules.input_output import OutputLayer
    from bionet.modules.port import Port
    from bionet.modules.recurrent import RecurrentDiscrete
    from bionet.modules.softmax import SoftmaxReadout
    from bionet.modules.sparse import SparseFullyConnected, SparseRecurrentDiscrete
    from bionet.modules.tanh import RecurrentTanh
    from bionet.modules.through_time.cells import CellChain, Synapses
    from bionet.modules.through_time.over_time import over_time
    from bionet.modules.through_time.recurrent_spiking import RecurrentSpiking
    from bionet.modules.through_time.spiking import LIF, AdaptiveLIF, LeakyIntegrator
    from bionet.modules.through_time.state_space import S5
    from bionet.orchestrators.grouped import GroupedOrchestrator
    from bionet.orchestrators.nested import NestedNetwork
    from bionet.orchestrators.sequential import SequentialOrchestrator
    from bionet.orchestrators.settle import settle
    from bionet.orchestrators.stacked import StackedOrchestrator
    from bionet.orchestrators.synchronous import SynchronousOrchestrator
    from bionet.states.sequential import SequentialState
    from bionet.training.control.frozen import FrozenHidden
    from bionet.training.control.frozen_readout import FrozenReadout
    from bionet.training.first_order.gradient import Gradient
    from bionet.training.first_order.surrogate import SurrogateGradient
    from bionet.training.fit import fit
    from bionet.training.local.contrastive import Contrastive
    from bionet.training.local.error_phase import ErrorPhase
    from bionet.training.local.feedback_alignment import DirectFeedbackAlignment, FeedbackAlignment
    from bionet.training.local.storage import Storage
    from bionet.training.local.two_phase import TwoPhase
    from bionet.training.objective import Objective
    from bionet.training.problem import Problem
    from bionet.training.registry import register_method
    from bionet.training.zeroth_order.evolution import Evolution
    from bionet.training.zeroth_order.lowrank_es import LowRankES
    from bionet.training.zeroth_order.random_search import RandomSearch
    from bionet.workloads.workload import Workload

__version__ = "0.1.0"

__all__ = [
    "LIF",
    "S5",
    "AdaptiveLIF",
    "CellChain",
    "Contrastive",
    "Convolution2D",
    "DirectFeedbackAlignment",
    "ErrorPhase",
    "Evolution",
    "FeedbackAlignment",
    "FerromagneticChain",
    "FrozenFullyConnected",
    "FrozenHidden",
    "FrozenReadout",
    "FullyConnected",
    "Gradient",
    "GroupedOrchestrator",
    "LayerMap",
    "LeakyIntegrator",
    "LearnedFeedback",
    "LowRankES",
    "NestedNetwork",
    "Objective",
    "OutputLayer",
    "Pooling2D",
    "Port",
    "Problem",
    "RandomSearch",
    "RecurrentDiscrete",
    "RecurrentDiscrete2D",
    "RecurrentSpiking",
    "RecurrentTanh",
    "Reshaped",
    "SequentialOrchestrator",
    "SequentialState",
    "SoftmaxReadout",
    "SparseFullyConnected",
    "SparseRecurrentDiscrete",
    "StackedOrchestrator",
    "Storage",
    "SurrogateGradient",
    "Synapses",
    "SynchronousOrchestrator",
    "TransposedConvolution2D",
    "TwoPhase",
    "Workload",
    "__version__",
    "cli",
    "datasets",
    "experimental",
    "fit",
    "graph",
    "interop",
    "layer_maps",
    "modules",
    "orchestrators",
    "over_time",
    "plotting",
    "register_method",
    "rules",
    "settle",
    "states",
    "studies",
    "training",
    "workloads",
    "zoo",
]

# The file that each name comes from; a public name without an entry is a subpackage.
_ROOMS = (
    "cli",
    "datasets",
    "experimental",
    "graph",
    "interop",
    "layer_maps",
    "modules",
    "orchestrators",
    "plotting",
    "rules",
    "states",
    "studies",
    "training",
    "workloads",
    "zoo",
)
_HOMES = {
    **{room: f"bionet.{room}" for room in _ROOMS},
    "AdaptiveLIF": "bionet.modules.through_time.spiking",
    "CellChain": "bionet.modules.through_time.cells",
    "Contrastive": "bionet.training.local.contrastive",
    "Convolution2D": "bionet.modules.images.convolution",
    "DirectFeedbackAlignment": "bionet.training.local.feedback_alignment",
    "ErrorPhase": "bionet.training.local.error_phase",
    "Evolution": "bionet.training.zeroth_order.evolution",
    "FeedbackAlignment": "bionet.training.local.feedback_alignment",
    "FerromagneticChain": "bionet.modules.ferromagnetic",
    "FrozenFullyConnected": "bionet.modules.fully_connected",
    "FrozenHidden": "bionet.training.control.frozen",
    "FrozenReadout": "bionet.training.control.frozen_readout",
    "FullyConnected": "bionet.modules.fully_connected",
    "Gradient": "bionet.training.first_order.gradient",
    "GroupedOrchestrator": "bionet.orchestrators.grouped",
    "LIF": "bionet.modules.through_time.spiking",
    "LayerMap": "bionet.layer_maps.sparse",
    "LeakyIntegrator": "bionet.modules.through_time.spiking",
    "LearnedFeedback": "bionet.modules.feedback",
    "LowRankES": "bionet.training.zeroth_order.lowrank_es",
    "NestedNetwork": "bionet.orchestrators.nested",
    "Objective": "bionet.training.objective",
    "OutputLayer": "bionet.modules.input_output",
    "Pooling2D": "bionet.modules.images.pooling",
    "Port": "bionet.modules.port",
    "Problem": "bionet.training.problem",
    "RandomSearch": "bionet.training.zeroth_order.random_search",
    "RecurrentDiscrete": "bionet.modules.recurrent",
    "RecurrentDiscrete2D": "bionet.modules.images.recurrent_convolution",
    "RecurrentSpiking": "bionet.modules.through_time.recurrent_spiking",
    "RecurrentTanh": "bionet.modules.tanh",
    "Reshaped": "bionet.modules.images.reshaping",
    "S5": "bionet.modules.through_time.state_space",
    "SequentialOrchestrator": "bionet.orchestrators.sequential",
    "SequentialState": "bionet.states.sequential",
    "SoftmaxReadout": "bionet.modules.softmax",
    "SparseFullyConnected": "bionet.modules.sparse",
    "SparseRecurrentDiscrete": "bionet.modules.sparse",
    "StackedOrchestrator": "bionet.orchestrators.stacked",
    "Storage": "bionet.training.local.storage",
    "SurrogateGradient": "bionet.training.first_order.surrogate",
    "Synapses": "bionet.modules.through_time.cells",
    "SynchronousOrchestrator": "bionet.orchestrators.synchronous",
    "TransposedConvolution2D": "bionet.modules.images.convolution",
    "TwoPhase": "bionet.training.local.two_phase",
    "Workload": "bionet.workloads.workload",
    "fit": "bionet.training.fit",
    "over_time": "bionet.modules.through_time.over_time",
    "register_method": "bionet.training.registry",
    "settle": "bionet.orchestrators.settle",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
