"""Training methods, one file each under one contract, and the loop that drives them all."""

from bionet.training.batches import (
    AbstractBatches,
    ArrayBatches,
    Examples,
    GeneratedBatches,
    StackedBatches,
)
from bionet.training.checkpoints import CheckpointError, Checkpoints
from bionet.training.contrastive import Contrastive
from bionet.training.devices import ShardedBatches, batch_mesh
from bionet.training.edge_scales import EdgeScales
from bionet.training.error_phase import ErrorPhase
from bionet.training.evaluate import evaluate
from bionet.training.fit import Event, FitResult, fit
from bionet.training.frozen import FrozenHidden, frozen_control
from bionet.training.health import NonFiniteError
from bionet.training.method import AbstractMethod, MethodSpec, TrainState
from bionet.training.problem import Problem
from bionet.training.readout import FreeReadout, ReadoutHinge, accuracy, readout_cross_entropy
from bionet.training.two_phase import TwoPhase

__all__ = [
    "AbstractBatches",
    "AbstractMethod",
    "ArrayBatches",
    "CheckpointError",
    "Checkpoints",
    "Contrastive",
    "EdgeScales",
    "ErrorPhase",
    "Event",
    "Examples",
    "FitResult",
    "FreeReadout",
    "FrozenHidden",
    "GeneratedBatches",
    "MethodSpec",
    "NonFiniteError",
    "Problem",
    "ReadoutHinge",
    "ShardedBatches",
    "StackedBatches",
    "TrainState",
    "TwoPhase",
    "accuracy",
    "batch_mesh",
    "evaluate",
    "fit",
    "frozen_control",
    "readout_cross_entropy",
]
