"""Training methods, one file each under one contract, and the loop that drives them all.

The methods of asynchronous networks are imported when they are first asked for: they need the
graphs, without which everything else starts sooner.
"""

from typing import TYPE_CHECKING

from bionet._core.lazy_names import lazy_names
from bionet.training.batches import (
    AbstractBatches,
    ArrayBatches,
    Examples,
    GeneratedBatches,
    StackedBatches,
)
from bionet.training.checkpoints import CheckpointError, Checkpoints
from bionet.training.checks.health import NonFiniteError
from bionet.training.control.control import Control
from bionet.training.control.frozen import FrozenHidden, frozen_control
from bionet.training.control.frozen_readout import FrozenReadout, frozen_readout_control
from bionet.training.control.linear_readout import LinearReadout
from bionet.training.control.restricted import Restricted
from bionet.training.evaluate import evaluate
from bionet.training.first_order.gradient import Gradient, loss_and_gradient
from bionet.training.first_order.surrogate import SurrogateGradient, SurrogateLayer
from bionet.training.first_order.twin import SmoothLayer, has_signs, smooth_twin
from bionet.training.fit import Event, FitResult, fit
from bionet.training.local.contrastive import Contrastive
from bionet.training.local.edge_scales import EdgeScales
from bionet.training.local.error_phase import ErrorPhase
from bionet.training.local.feedback_alignment import (
    DirectFeedbackAlignment,
    FeedbackAlignment,
    alignment,
)
from bionet.training.local.readout import FreeReadout, ReadoutHinge, accuracy, readout_cross_entropy
from bionet.training.local.storage import Recall, Storage, recalled, wrong_bits
from bionet.training.local.two_phase import TwoPhase
from bionet.training.method import AbstractMethod, MethodSpec, TrainState
from bionet.training.objective import Objective
from bionet.training.options import Descent, later
from bionet.training.problem import Problem
from bionet.training.registry import METHODS, UnknownMethodError, make_options, register_method
from bionet.training.run.checkpoints_of_run import FitWarning
from bionet.training.run.devices import ShardedBatches, batch_mesh
from bionet.training.zeroth_order.evolution import Evolution
from bionet.training.zeroth_order.lowrank_es import LowRankES
from bionet.training.zeroth_order.random_search import RandomSearch

if TYPE_CHECKING:
    from bionet.training.local.asynchronous import AsyncReadout, AsyncTwoPhase

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


_HOME = "bionet.training.local.asynchronous"
__getattr__, __dir__ = lazy_names(__name__, {"AsyncReadout": _HOME, "AsyncTwoPhase": _HOME})
