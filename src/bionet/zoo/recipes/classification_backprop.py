"""Plain backprop on the images that the local rules are tried on: what does it reach?

A feed-forward network of two hidden layers of ReLU units, trained by backpropagation with Adam
(Rumelhart, Hinton and Williams, 1986) on handwritten digits: the small set of scikit-learn by
default (8 x 8 pixels, no file needed), MNIST and Fashion-MNIST from files. It is the yardstick of
the application: the same data, split and control as the recipes without a gradient have.

What to expect: more than the frozen control, whose two hidden layers stay at their random start,
and more than ridge on the pixels. On the small digits the nearest neighbour, a rule of one line,
is ahead of it, as of every network here. The numbers are in the spec, with the study they are from.

The loss is the mean softmax cross-entropy of the readout.
"""

from __future__ import annotations

from bionet.workloads.images_mlp import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

LARGE = {"epochs": 10, "batch_size": 64}

RECIPE = Recipe(
    id="classification-backprop",
    workload=WORKLOAD,
    method="backprop",
    budget=Budget(batch_size=32, epochs=30),
    options={"learning_rate": 3e-3, "schedule": "cosine"},
    presets={"mnist": LARGE, "fashion-mnist": LARGE},
    revisions={"control": 2, "baselines": 2},
)
