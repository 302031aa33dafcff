"""Can errors that come back through random weights train a deep network?

A feed-forward network of two hidden layers of tanh units learns from errors that go back layer by
layer through fixed random matrices instead of the transposed weights (Lillicrap et al., 2016
[lillicrap2016random]), on handwritten digits: the small set of scikit-learn by default, MNIST
and Fashion-MNIST from files. The forward weights turn towards the feedback while they learn;
`bionet.training.alignment` measures it.

What to expect: more than the frozen control, whose two hidden layers stay at their random start,
and, on the small digits, about what backprop reaches on the same network (`--method backprop`).
There the nearest neighbour, a rule of one line, is ahead of both.

The loss is the mean softmax cross-entropy of the readout.
"""

from __future__ import annotations

from bionet.workloads.images_mlp import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

LARGE = {"epochs": 10, "batch_size": 64}

RECIPE = Recipe(
    id="classification-feedback-alignment",
    workload=WORKLOAD,
    budget=Budget(batch_size=32, epochs=30),
    method="feedback-alignment",
    options={"learning_rate": 3e-3, "schedule": "cosine"},
    fields={"activation": "tanh"},
    presets={"mnist": LARGE, "fashion-mnist": LARGE},
    revisions={"baselines": 2},
)
