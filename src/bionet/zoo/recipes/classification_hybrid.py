"""Does evolution correct what a local rule is blind to, on real images?

The network and the two-phase dynamics of the local recipe (Badalotti et al., 2025
[badalotti2025dynamical]), whose direction is corrected in every step by evolution strategies on the
true loss (Salimans et al., 2017 [salimans2017evolution]): of what a few pairs of perturbed networks
say about the loss, the part orthogonal to the local direction is added, at a fixed share of its
length. Handwritten digits: the small set of scikit-learn by default (8 x 8 pixels, no file needed),
MNIST and Fashion-MNIST from files.

What to expect: parity with the local rule, which is the ablation and costs a fraction. With few
pairs for so many weights the correction is almost all noise; its length is bounded, so it does
no harm. Both end above the frozen control, and on the small digits below the nearest neighbour.

The loss is the mean margin hinge of the readout, at the readout's own threshold.
"""

from __future__ import annotations

from bionet.workloads.images_binary import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe
from bionet.zoo.recipes import classification_local as local

RECIPE = Recipe(
    id="classification-hybrid",
    workload=WORKLOAD,
    method="local-es",
    budget=Budget(batch_size=16, epochs=20),
    options={
        "num_samples": 8,
        "sigma": 0.05,
        "lam": 0.4,
        "local": "two-phase",
        "local_options": local.RECIPE.options,
    },
    presets=local.RECIPE.presets,
    ablation={"lam": 0.0},
    ablated="the correction by evolution",
    brief={"epochs": 6},
    revisions={"baselines": 2},
)
