"""Can evolution train a spiking policy to balance a pole for as long as it is asked to?

A cart is pushed left or right so that the pole on it stays up (Barto, Sutton and Anderson, 1983
[barto1983neuronlike], with the equations and limits written out below). The policy is a
small network of leaky integrate-and-fire units; it is trained by a fast moving natural evolution
strategy (CR_FM_NES: Nomura and Ono, 2022 [nomura2022fast]) on how long episodes last.

What to expect: the policy balances all 500 steps from unseen starts, as a hand-tuned linear
controller does. Pushing at random, or always to the side to which the pole leans, does not. The
frozen control leaves the spiking layer at its random start while the same method trains its
readout.

The loss is the share of the 500 steps that were not balanced. The metric is the share of episodes
in which all were.
"""

from __future__ import annotations

from bionet.workloads.cart_pole import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

RECIPE = Recipe(
    id="control-cartpole-es",
    workload=WORKLOAD,
    method="es",
    budget=Budget(batch_size=16, epochs=8),
    options={"strategy": "CR_FM_NES", "population": 32, "sigma": 0.3},
    revisions={"control": 2},
)
