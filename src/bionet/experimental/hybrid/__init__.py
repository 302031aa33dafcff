"""Hybrids: a cheap, biased direction, corrected by evolution strategies on the true loss.

A local rule or a surrogate gradient is cheap and points roughly the right way. The true loss only
needs to be evaluated. What evolution strategies find along the direction is thrown away, or
measured by itself; what they find orthogonal to it is what the direction is blind to.
"""

from bionet.experimental.hybrid.directions import local_direction, surrogate_direction
from bionet.experimental.hybrid.gradients import (
    es_gradient,
    hybrid_diagnostics,
    hybrid_gradient,
    sges_gradient,
)
from bionet.experimental.hybrid.methods.local_es import LocalES
from bionet.experimental.hybrid.methods.past_guided_es import PastGuidedES
from bionet.experimental.hybrid.methods.self_guided_es import SelfGuidedES
from bionet.experimental.hybrid.methods.surrogate_es import SurrogateES
from bionet.experimental.hybrid.train_step import make_hybrid_train_step

__all__ = [
    "LocalES",
    "PastGuidedES",
    "SelfGuidedES",
    "SurrogateES",
    "es_gradient",
    "hybrid_diagnostics",
    "hybrid_gradient",
    "local_direction",
    "make_hybrid_train_step",
    "sges_gradient",
    "surrogate_direction",
]
