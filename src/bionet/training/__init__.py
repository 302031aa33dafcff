"""Training methods, one file each under one contract, and the loop that drives them all.

The methods of asynchronous networks are imported when they are first asked for: they need the
graphs, without which everything else starts sooner.
"""

from typing import TYPE_CHECKING, Any

from bionet.training.batches import (
    AbstractBatches,
    ArrayBatches,
    Examples,
    GeneratedBatches,
    StackedBatches,
)
from bionet.training.checkpoints import CheckpointError, Checkpoints
from bionet.training.contrastive import Contrastive
from bionet.training.control import Control
from bionet.training.devices import ShardedBatches, batch_mesh
from bionet.training.edge_scales import EdgeScales
from bionet.training.error_phase import ErrorPhase
from bionet.training.evaluate import evaluate
from bionet.training.evolution import Evolution
from bionet.training.feedback_alignment import DirectFeedbackAlignment, FeedbackAlignment, alignment
from bionet.training.fit import Event, FitResult, fit
from bionet.training.frozen import FrozenHidden, frozen_control
from bionet.training.frozen_readout import FrozenReadout, LinearReadout, frozen_readout_control
from bionet.training.gradient import Gradient, loss_and_gradient
from bionet.training.health import NonFiniteError
from bionet.training.lowrank_es import LowRankES
from bionet.training.method import AbstractMethod, MethodSpec, TrainState
from bionet.training.objective import Objective
from bionet.training.options import Descent, later
from bionet.training.problem import Problem
from bionet.training.random_search import RandomSearch
from bionet.training.readout import FreeReadout, ReadoutHinge, accuracy, readout_cross_entropy
from bionet.training.registry import METHODS, UnknownMethodError, make_options, register_method
from bionet.training.restricted import Restricted
from bionet.training.run_checkpoints import FitWarning
from bionet.training.storage import Recall, Storage, recalled, wrong_bits
from bionet.training.surrogate import SurrogateGradient, SurrogateLayer
from bionet.training.twin import SmoothLayer, has_signs, smooth_twin
from bionet.training.two_phase import TwoPhase

if TYPE_CHECKING:
    from bionet.training.asynchronous import AsyncReadout, AsyncTwoPhase

__all__ = [
    "METHODS",
    "AbstractBatches",
    "AbstractMethod",
    "ArrayBatches",
    "AsyncReadout",
    "AsyncTwoPhase",
    "CheckpointError",
    "Checkpoints",
    "Contrastive",
    "Control",
    "Descent",
    "DirectFeedbackAlignment",
    "EdgeScales",
    "ErrorPhase",
    "Event",
    "Evolution",
    "Examples",
    "FeedbackAlignment",
    "FitResult",
    "FitWarning",
    "FreeReadout",
    "FrozenHidden",
    "FrozenReadout",
    "GeneratedBatches",
    "Gradient",
    "LinearReadout",
    "LowRankES",
    "MethodSpec",
    "NonFiniteError",
    "Objective",
    "Problem",
    "RandomSearch",
    "ReadoutHinge",
    "Recall",
    "Restricted",
    "ShardedBatches",
    "SmoothLayer",
    "StackedBatches",
    "Storage",
    "SurrogateGradient",
    "SurrogateLayer",
    "TrainState",
    "TwoPhase",
    "UnknownMethodError",
    "accuracy",
    "alignment",
    "batch_mesh",
    "evaluate",
    "fit",
    "frozen_control",
    "frozen_readout_control",
    "has_signs",
    "later",
    "loss_and_gradient",
    "make_options",
    "readout_cross_entropy",
    "recalled",
    "register_method",
    "smooth_twin",
    "wrong_bits",
]


def __getattr__(name: str) -> Any:
    if name in ("AsyncReadout", "AsyncTwoPhase"):
        from bionet.training import asynchronous

        return getattr(asynchronous, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
