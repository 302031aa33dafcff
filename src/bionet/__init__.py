"""bionet: networks that are not ordinary feed-forward ones, and what training each costs.

`from bionet import zoo; zoo.get("prototypes-local").demo()` shows one that learns. The names
below are the ones that most programs need. Each is imported when it is first asked for, so
that `import bionet` loads neither JAX nor NumPy, and `bionet list` answers at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
    from bionet.modules.cells import CellChain, Synapses
    from bionet.modules.chain import FerromagneticChain
    from bionet.modules.convolution import Convolution2D, TransposedConvolution2D
    from bionet.modules.feedback import LearnedFeedback
    from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
    from bionet.modules.input_output import OutputLayer
    from bionet.modules.over_time import over_time
    from bionet.modules.pooling import Pooling2D
    from bionet.modules.port import Port
    from bionet.modules.recurrent import RecurrentDiscrete
    from bionet.modules.recurrent_convolution import RecurrentDiscrete2D
    from bionet.modules.recurrent_spiking import RecurrentSpiking
    from bionet.modules.reshaping import Reshaped
    from bionet.modules.softmax import SoftmaxReadout
    from bionet.modules.sparse import SparseFullyConnected, SparseRecurrentDiscrete
    from bionet.modules.spiking import LIF, AdaptiveLIF, LeakyIntegrator
    from bionet.modules.state_space import S5
    from bionet.modules.tanh import RecurrentTanh
    from bionet.orchestrators.grouped import GroupedOrchestrator
    from bionet.orchestrators.nested import NestedNetwork
    from bionet.orchestrators.sequential import SequentialOrchestrator
    from bionet.orchestrators.settle import settle
    from bionet.orchestrators.stacked import StackedOrchestrator
    from bionet.orchestrators.synchronous import SynchronousOrchestrator
    from bionet.states.sequential import SequentialState
    from bionet.training.contrastive import Contrastive
    from bionet.training.error_phase import ErrorPhase
    from bionet.training.evolution import Evolution
    from bionet.training.feedback_alignment import DirectFeedbackAlignment, FeedbackAlignment
    from bionet.training.fit import fit
    from bionet.training.frozen import FrozenHidden
    from bionet.training.frozen_readout import FrozenReadout
    from bionet.training.gradient import Gradient
    from bionet.training.lowrank_es import LowRankES
    from bionet.training.objective import Objective
    from bionet.training.problem import Problem
    from bionet.training.random_search import RandomSearch
    from bionet.training.registry import register_method
    from bionet.training.storage import Storage
    from bionet.training.surrogate import SurrogateGradient
    from bionet.training.two_phase import TwoPhase
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
_HOMES = {
    "AdaptiveLIF": "bionet.modules.spiking",
    "CellChain": "bionet.modules.cells",
    "Contrastive": "bionet.training.contrastive",
    "Convolution2D": "bionet.modules.convolution",
    "DirectFeedbackAlignment": "bionet.training.feedback_alignment",
    "ErrorPhase": "bionet.training.error_phase",
    "Evolution": "bionet.training.evolution",
    "FeedbackAlignment": "bionet.training.feedback_alignment",
    "FerromagneticChain": "bionet.modules.chain",
    "FrozenFullyConnected": "bionet.modules.fully_connected",
    "FrozenHidden": "bionet.training.frozen",
    "FrozenReadout": "bionet.training.frozen_readout",
    "FullyConnected": "bionet.modules.fully_connected",
    "Gradient": "bionet.training.gradient",
    "GroupedOrchestrator": "bionet.orchestrators.grouped",
    "LIF": "bionet.modules.spiking",
    "LayerMap": "bionet.layer_maps.sparse",
    "LeakyIntegrator": "bionet.modules.spiking",
    "LearnedFeedback": "bionet.modules.feedback",
    "LowRankES": "bionet.training.lowrank_es",
    "NestedNetwork": "bionet.orchestrators.nested",
    "Objective": "bionet.training.objective",
    "OutputLayer": "bionet.modules.input_output",
    "Pooling2D": "bionet.modules.pooling",
    "Port": "bionet.modules.port",
    "Problem": "bionet.training.problem",
    "RandomSearch": "bionet.training.random_search",
    "RecurrentDiscrete": "bionet.modules.recurrent",
    "RecurrentDiscrete2D": "bionet.modules.recurrent_convolution",
    "RecurrentSpiking": "bionet.modules.recurrent_spiking",
    "RecurrentTanh": "bionet.modules.tanh",
    "Reshaped": "bionet.modules.reshaping",
    "S5": "bionet.modules.state_space",
    "SequentialOrchestrator": "bionet.orchestrators.sequential",
    "SequentialState": "bionet.states.sequential",
    "SoftmaxReadout": "bionet.modules.softmax",
    "SparseFullyConnected": "bionet.modules.sparse",
    "SparseRecurrentDiscrete": "bionet.modules.sparse",
    "StackedOrchestrator": "bionet.orchestrators.stacked",
    "Storage": "bionet.training.storage",
    "SurrogateGradient": "bionet.training.surrogate",
    "Synapses": "bionet.modules.cells",
    "SynchronousOrchestrator": "bionet.orchestrators.synchronous",
    "TransposedConvolution2D": "bionet.modules.convolution",
    "TwoPhase": "bionet.training.two_phase",
    "Workload": "bionet.workloads.workload",
    "fit": "bionet.training.fit",
    "over_time": "bionet.modules.over_time",
    "register_method": "bionet.training.registry",
    "settle": "bionet.orchestrators.settle",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        from bionet._core.names import unknown

        raise AttributeError(unknown("attribute of bionet", name, __all__))
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        value = import_module(f"bionet.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
