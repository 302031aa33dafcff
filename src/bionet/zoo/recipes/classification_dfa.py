"""Is the error of the output enough for every hidden layer to learn from?

A feed-forward network of two hidden layers of tanh units, each of which hears the error of the
output through a fixed random matrix of its own and of nothing else (direct feedback alignment:
Nøkland, 2016 [nokland2016direct]), on handwritten digits: the small set of scikit-learn by default,
MNIST and Fashion-MNIST from files. No layer waits for the one above it.

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
    id="classification-dfa",
    workload=WORKLOAD,
    budget=Budget(batch_size=32, epochs=30),
    method="dfa",
    options={"learning_rate": 3e-3, "schedule": "cosine"},
    fields={"activation": "tanh"},
    presets={"mnist": LARGE, "fashion-mnist": LARGE},
    revisions={"baselines": 2},
)
