"""Can evolution train a spiking policy to bring a point mass to rest?

A mass on a line is pushed by a small network of leaky integrate-and-fire units, which sees its
position and its velocity. Spikes have no slope and the loop through the world is long, so the
policy is trained by an evolution strategy (Open_ES: Salimans et al., 2017 [salimans2017evolution])
on the cost of whole episodes. All members of a generation start from the same states.

What to expect: the policy ends far below the cost of doing nothing and of its frozen control,
whose spiking layer stays at its random start while the same method trains its readout, and near a
hand-tuned controller that pushes back in proportion to position and velocity.

The loss is the mean cost of an episode, per step: `x^2 + 0.1 force^2`. The metric is the share
of episodes that end at rest, within 0.1 of the goal and slower than 0.2.
"""

from __future__ import annotations

from bionet.workloads.point_mass import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

RECIPE = Recipe(
    id="control-lif-es",
    workload=WORKLOAD,
    method="es",
    budget=Budget(batch_size=32, epochs=20),
    options={
        "strategy": "Open_ES",
        "population": 64,
        "sigma": 0.1,
        "learning_rate": 0.05,
        "schedule": "cosine",
    },
)
