"""Plasticity as pure functions: arrays in, an **increment** of the weights out.

A rule knows no network. It takes what a synapse can see (the pre-synaptic
activity, the target and the score of the post-synaptic unit) and returns what is
*added* to the weight. Modules turn that into a pseudo-gradient by one negation.
"""

from bionet.rules.continuous import (
    continuous_correction,
    continuous_perceptron,
    violated_tolerance,
)
from bionet.rules.feedback_alignment import error_increment, sent_back
from bionet.rules.hebbian import hebbian
from bionet.rules.perceptron import (
    REDUCTIONS,
    Reduction,
    batch_divisor,
    check_dense,
    gated,
    margin_correction,
    margin_hinge,
    margin_perceptron,
    violated_margin,
)
from bionet.rules.softmax import class_margin, cross_entropy, softmax_delta, softmax_error
from bionet.rules.sparse_perceptron import sparse_margin_perceptron
from bionet.rules.weight_sharing import shared_perceptron

__all__ = [
    "REDUCTIONS",
    "Reduction",
    "batch_divisor",
    "check_dense",
    "class_margin",
    "continuous_correction",
    "continuous_perceptron",
    "cross_entropy",
    "error_increment",
    "gated",
    "hebbian",
    "margin_correction",
    "margin_hinge",
    "margin_perceptron",
    "sent_back",
    "shared_perceptron",
    "softmax_delta",
    "softmax_error",
    "sparse_margin_perceptron",
    "violated_margin",
    "violated_tolerance",
]
