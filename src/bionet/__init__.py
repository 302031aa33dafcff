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
        interop,
        layer_maps,
        modules,
        orchestrators,
        rules,
        states,
        training,
        zoo,
    )
    from bionet.layer_maps.sparse import LayerMap
    from bionet.modules.chain import FerromagneticChain
    from bionet.modules.convolution import Convolution2D, TransposedConvolution2D
    from bionet.modules.feedback import LearnedFeedback
    from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
    from bionet.modules.input_output import OutputLayer
    from bionet.modules.pooling import Pooling2D
    from bionet.modules.port import Port
    from bionet.modules.recurrent import RecurrentDiscrete
    from bionet.modules.recurrent_convolution import RecurrentDiscrete2D
    from bionet.modules.reshaping import Reshaped
    from bionet.modules.softmax import SoftmaxReadout
    from bionet.modules.sparse import SparseFullyConnected, SparseRecurrentDiscrete
    from bionet.modules.tanh import RecurrentTanh
    from bionet.orchestrators.grouped import GroupedOrchestrator
    from bionet.orchestrators.nested import NestedNetwork
    from bionet.orchestrators.sequential import SequentialOrchestrator
    from bionet.orchestrators.settle import settle
    from bionet.orchestrators.stacked import StackedOrchestrator
    from bionet.orchestrators.synchronous import SynchronousOrchestrator
    from bionet.states.sequential import SequentialState
    from bionet.training.error_phase import ErrorPhase
    from bionet.training.fit import fit
    from bionet.training.frozen import FrozenHidden
    from bionet.training.problem import Problem
    from bionet.training.two_phase import TwoPhase

__version__ = "0.1.0"

__all__ = [
    "Convolution2D",
    "ErrorPhase",
    "FerromagneticChain",
    "FrozenFullyConnected",
    "FrozenHidden",
    "FullyConnected",
    "GroupedOrchestrator",
    "LayerMap",
    "LearnedFeedback",
    "NestedNetwork",
    "OutputLayer",
    "Pooling2D",
    "Port",
    "Problem",
    "RecurrentDiscrete",
    "RecurrentDiscrete2D",
    "RecurrentTanh",
    "Reshaped",
    "SequentialOrchestrator",
    "SequentialState",
    "SoftmaxReadout",
    "SparseFullyConnected",
    "SparseRecurrentDiscrete",
    "StackedOrchestrator",
    "SynchronousOrchestrator",
    "TransposedConvolution2D",
    "TwoPhase",
    "__version__",
    "cli",
    "datasets",
    "fit",
    "interop",
    "layer_maps",
    "modules",
    "orchestrators",
    "rules",
    "settle",
    "states",
    "training",
    "zoo",
]

# The file that each name comes from; a public name without an entry is a subpackage.
_HOMES = {
    "Convolution2D": "bionet.modules.convolution",
    "ErrorPhase": "bionet.training.error_phase",
    "FerromagneticChain": "bionet.modules.chain",
    "FrozenFullyConnected": "bionet.modules.fully_connected",
    "FrozenHidden": "bionet.training.frozen",
    "FullyConnected": "bionet.modules.fully_connected",
    "GroupedOrchestrator": "bionet.orchestrators.grouped",
    "LayerMap": "bionet.layer_maps.sparse",
    "LearnedFeedback": "bionet.modules.feedback",
    "NestedNetwork": "bionet.orchestrators.nested",
    "OutputLayer": "bionet.modules.input_output",
    "Pooling2D": "bionet.modules.pooling",
    "Port": "bionet.modules.port",
    "Problem": "bionet.training.problem",
    "RecurrentDiscrete": "bionet.modules.recurrent",
    "RecurrentDiscrete2D": "bionet.modules.recurrent_convolution",
    "RecurrentTanh": "bionet.modules.tanh",
    "Reshaped": "bionet.modules.reshaping",
    "SequentialOrchestrator": "bionet.orchestrators.sequential",
    "SequentialState": "bionet.states.sequential",
    "SoftmaxReadout": "bionet.modules.softmax",
    "SparseFullyConnected": "bionet.modules.sparse",
    "SparseRecurrentDiscrete": "bionet.modules.sparse",
    "StackedOrchestrator": "bionet.orchestrators.stacked",
    "SynchronousOrchestrator": "bionet.orchestrators.synchronous",
    "TransposedConvolution2D": "bionet.modules.convolution",
    "TwoPhase": "bionet.training.two_phase",
    "fit": "bionet.training.fit",
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
