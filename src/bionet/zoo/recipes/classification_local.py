"""Can a network of binary units learn to read real images without any gradient?

One hidden layer of binary units with asymmetric recurrent couplings, trained by two-phase
perceptron dynamics (Badalotti et al., 2025 [badalotti2025dynamical]) on handwritten digits: the
small set of scikit-learn by default (8 x 8 pixels, no file needed), MNIST and Fashion-MNIST
from files. Each step is one warm-up step on the image alone, then up to five with the label,
then up to five without it; plain gradient-free increments with a learning rate per edge that
falls to zero along a cosine.

What to expect: on the small digits 96 % with 256 hidden units, about three points above the
frozen control at the same width; on MNIST 95 % with 1,000 units, four points above its control,
and still a little under 2,000 frozen random ReLU units with a ridge readout (95.8 %). Wider
frozen layers catch up, so compare at equal width. On the small digits the nearest neighbour, a rule
of one line, is right 98.6 % of the time. Nothing was chosen on a test split.
Fashion-MNIST takes MNIST's numbers as they are and has not been measured.

The loss is the mean margin hinge of the readout, at the readout's own threshold.
"""

from __future__ import annotations

from bionet.workloads.images_binary import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

LARGE = {"rate_in": 0.1, "rate_recurrent": 0.06, "rate_out": 0.17, "epochs": 8}

RECIPE = Recipe(
    id="classification-local",
    workload=WORKLOAD,
    method="two-phase",
    budget=Budget(batch_size=16, epochs=40),
    options={
        "optimizer": "sgd",
        "learning_rate": 1.0,
        "schedule": "cosine",
        "warmup": 1,
        "clamped": 5,
        "rate_in": 0.24,
        "rate_recurrent": 0.116,
        "rate_out": 0.34,
    },
    presets={"mnist": LARGE, "fashion-mnist": LARGE},
    revisions={"baselines": 2},
)
