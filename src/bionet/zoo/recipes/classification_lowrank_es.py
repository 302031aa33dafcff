"""Evolution on images, when the noise of each network has low rank: how far does it get?

A feed-forward network of one hidden layer learns handwritten digits by low-rank evolution (Sarkar
et al., 2025 [sarkar2025evolution]): the members of a large population differ from the mean by
matrices of rank one, so that the product with the mean's weights is done once for all of them.
Only losses are looked at. The small digits of scikit-learn by default (8 x 8 pixels, no file
needed), MNIST and Fashion-MNIST from files.

What to expect: more than the frozen control of the same width and, on the small digits, about what
backprop reaches (`--method backprop`), with hundreds of times as many evaluations. There the
nearest neighbour, a rule of one line, is ahead of both.

The loss is the mean softmax cross-entropy of the readout.
"""

from __future__ import annotations

from bionet.workloads.images_mlp import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

LARGE = {"epochs": 10, "batch_size": 64}

RECIPE = Recipe(
    id="classification-lowrank-es",
    workload=WORKLOAD,
    method="lowrank-es",
    budget=Budget(batch_size=128, epochs=60),
    options={
        "rank": 1,
        "population": 512,
        "sigma": 0.05,
        "learning_rate": 0.02,
        "schedule": "cosine",
    },
    fields={"depth": 1},
    presets={"mnist": LARGE, "fashion-mnist": LARGE},
    revisions={"baselines": 2},
)
