"""Can a network of binary units learn to tell noisy patterns apart without any gradient?

Ten random patterns of 100 bits are shown with 30 % of their bits flipped. One hidden
layer of 256 binary units with asymmetric recurrent couplings settles on each of them,
first with the label and then without it, and every unit moves its own weights until it
would hold what it has reached. This is the two-phase perceptron dynamics of Badalotti et
al. (2025) [badalotti2025dynamical]. Network and margins are those of the published script; the
rate is lower and the training longer, chosen on validation data.

What to expect: the loss falls within ten short epochs, and the network ends about three
points above its frozen control. The optimum is the rule that knows the true patterns. The
nearest class mean, which averages the training samples of a class, is close to the optimum
and ahead of the network: patterns with independent noise are what averaging is best at.
Both are reported beside it.

The loss is the mean margin hinge of the readout, at the readout's own threshold.
"""

from __future__ import annotations

from bionet.workloads.prototypes import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

RECIPE = Recipe(
    id="prototypes-local",
    workload=WORKLOAD,
    method="two-phase",
    budget=Budget(batch_size=16, epochs=10),
    options={"learning_rate": 2e-3, "clamped": 10},
)
