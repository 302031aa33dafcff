"""Does evolution correct what a surrogate gradient is blind to?

The task and the network of the recipe with surrogate gradients alone: two spike motifs one after
the other, whose numbers have to be added modulo four by a recurrent spiking network in dm-haiku.
A surrogate gradient (Neftci, Mostafa and Zenke, 2019 [neftci2019surrogate]) is biased, since the
derivative it takes is not that of the spike. In every step it is corrected by evolution strategies
on the true loss (Salimans et al., 2017 [salimans2017evolution]): of what a few pairs of perturbed
networks say, the part orthogonal to the surrogate gradient is added, at a fixed share of its
length.

What to expect: parity with the surrogate gradient, which is the ablation and costs a fraction.
With few pairs for so many weights the correction is almost all noise; its length is bounded, so it
does no harm. The frozen control leaves the spiking layer at its random start. The task itself needs
no network: one nearest neighbour on the raw raster answers 99.8 % right, which is above both. The
comparison of the two gradients is the point here; `classification-rsnn-v2` has a harder task.

The loss is the mean softmax cross-entropy of the readout.
"""

from __future__ import annotations

from bionet.workloads.spike_motifs import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

RECIPE = Recipe(
    id="classification-rsnn-hybrid",
    workload=WORKLOAD,
    method="surrogate-es",
    budget=Budget(batch_size=50, epochs=20),
    options={
        "learning_rate": 5e-3,
        "schedule": "cosine",
        "clip": 1.0,
        "num_samples": 4,
        "sigma": 0.02,
        "lam": 0.2,
    },
    ablation={"lam": 0.0},
    ablated="the correction by evolution",
    brief={"epochs": 7},
    revisions={"baselines": 2},
)
