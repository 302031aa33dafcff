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
    from bionet.modules.fully_connected import FrozenFullyConnected, FullyConnected
    from bionet.modules.input_output import OutputLayer
    from bionet.modules.recurrent import RecurrentDiscrete
    from bionet.orchestrators.sequential import SequentialOrchestrator
    from bionet.orchestrators.settle import settle
    from bionet.states.sequential import SequentialState
    from bionet.training.fit import fit
    from bionet.training.frozen import FrozenHidden
    from bionet.training.problem import Problem
    from bionet.training.two_phase import TwoPhase

__version__ = "0.1.0"

__all__ = [
    "FrozenFullyConnected",
    "FrozenHidden",
    "FullyConnected",
    "LayerMap",
    "OutputLayer",
    "Problem",
    "RecurrentDiscrete",
    "SequentialOrchestrator",
    "SequentialState",
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
    "FrozenFullyConnected": "bionet.modules.fully_connected",
    "FrozenHidden": "bionet.training.frozen",
    "FullyConnected": "bionet.modules.fully_connected",
    "LayerMap": "bionet.layer_maps.sparse",
    "OutputLayer": "bionet.modules.input_output",
    "Problem": "bionet.training.problem",
    "RecurrentDiscrete": "bionet.modules.recurrent",
    "SequentialOrchestrator": "bionet.orchestrators.sequential",
    "SequentialState": "bionet.states.sequential",
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
