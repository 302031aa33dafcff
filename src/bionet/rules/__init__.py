"""Plasticity as pure functions: arrays in, an **increment** of the weights out.

A rule knows no network. It takes what a synapse can see (the pre-synaptic
activity, the target and the score of the post-synaptic unit) and returns what is
*added* to the weight. Modules turn that into a pseudo-gradient by one negation.
"""

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

__all__ = [
    "REDUCTIONS",
    "Reduction",
    "batch_divisor",
    "check_dense",
    "gated",
    "margin_correction",
    "margin_hinge",
    "margin_perceptron",
    "violated_margin",
]
