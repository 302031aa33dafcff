"""Backprop on the prototypes, on a smooth twin of the binary network: what does it reach?

The same recurrent network as in the local recipe, with the same initial weights and couplings,
but with tanh in place of each sign: a sign has no slope, so a gradient can only be taken through
such a twin. It settles for a fixed number of steps and is trained by backpropagation through
them (Werbos, 1990 [werbos1990backpropagation]), and it is the twin that is evaluated. It uses the
gradient of the loss, which no local rule sees, so it is a yardstick and no rival.

What to expect: the network ends above its frozen control. The optimum is the rule that knows the
true patterns; the nearest class mean, which averages the training samples of a class, is close to
it and ahead of the network. Both are reported beside it. The task needs no recurrence: with
`steps=1`, in which the hidden units see the input alone, the same network does better.

The loss is the mean softmax cross-entropy of the readout.
"""

from __future__ import annotations

from bionet.workloads.prototypes import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

RECIPE = Recipe(
    id="prototypes-backprop",
    workload=WORKLOAD,
    method="backprop",
    budget=Budget(batch_size=16, epochs=10),
    options={"learning_rate": 2e-3},
    fields={
        "feedback": False,
        "threshold_in": 0.0,
        "threshold_recurrent": 0.0,
        "threshold_out": 0.0,
        "loss": "cross-entropy",
    },
)
