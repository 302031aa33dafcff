"""Does evolution correct what a local rule is blind to, on noisy patterns?

The network and the two-phase dynamics of the local recipe (Badalotti et al., 2025
[badalotti2025dynamical]), whose direction is corrected in every step by evolution strategies on the
true loss (Salimans et al., 2017 [salimans2017evolution]): of what a few pairs of perturbed networks
say about the loss, the part orthogonal to the local direction is added, at a fixed share of its
length.

What to expect: parity. With few pairs for so many weights the correction is almost all noise;
its length is bounded, so it does no harm. The ablation is the local rule without the correction,
at a fraction of the cost. The optimum and the nearest class mean, which averaging favours, are
reported beside it, and the frozen control.

The loss is the mean margin hinge of the readout, at the readout's own threshold.
"""

from __future__ import annotations

from bionet.workloads.prototypes import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe
from bionet.zoo.recipes import prototypes_local as local

RECIPE = Recipe(
    id="prototypes-hybrid",
    workload=WORKLOAD,
    method="local-es",
    budget=Budget(batch_size=16, epochs=10),
    options={
        "num_samples": 8,
        "sigma": 0.1,
        "lam": 0.2,
        "local": "two-phase",
        "local_options": local.RECIPE.options,
    },
    ablation={"lam": 0.0},
    ablated="the correction by evolution",
    brief={"epochs": 4},
)
