"""Can a network of binary units be trained by looking at its loss alone?

A small recurrent network of signs learns ten noisy prototypes by an evolution strategy (Open_ES:
Salimans et al., 2017 [salimans2017evolution]). A population of networks differs by Gaussian noise
in all weights and couplings; each is judged by the true loss of its hard units, and the mean moves
to where losses are low. No derivative is taken, so nothing has to be smooth.

What to expect: the network ends far above its frozen control at the same small width, and below
the optimum, the rule that knows the true patterns. The nearest class mean, which averages the
training samples of a class, is close to the optimum and ahead of any network here; both are
reported beside it. Cost grows with the number of weights, so the hidden layer is small.

The loss is the mean softmax cross-entropy of the readout.
"""

from __future__ import annotations

from bionet.workloads.prototypes import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

# A small network: the cost grows with the number of weights. The label has no way back.
SMALL = {
    "hidden": 32,
    "feedback": False,
    "threshold_in": 0.0,
    "threshold_recurrent": 0.0,
    "threshold_out": 0.0,
    "steps": 5,
    "loss": "cross-entropy",
}

RECIPE = Recipe(
    id="prototypes-es",
    workload=WORKLOAD,
    method="es",
    budget=Budget(batch_size=250, epochs=40),
    options={"population": 128, "sigma": 0.1, "learning_rate": 0.03},
    fields=SMALL,
)
