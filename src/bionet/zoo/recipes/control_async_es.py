"""Can evolution train a network whose parts share no clock to swing a pendulum up?

The motor is too weak to lift the pendulum, so it has to be swung up, and then held (the equations
of Pendulum in OpenAI Gym: Brockman et al., 2016 [brockman2016gym], written out below). A sensor
reads it at 50 Hz, hidden units listen at 20 Hz, and an agent decides at 10 Hz what a motor at
50 Hz does. Each takes its time, and each message travels for a while; both vary. Torque thus comes
a tenth of a second and more after what it answers to, while a pendulum that stands doubles its
error in less than two tenths. Evolution (SNES: Wierstra et al., 2014, JMLR 15) sees whole
episodes, delays included; all policies of a generation meet the same starts and schedules.

What to expect: from starts and on schedules that it has never met, the pendulum stands for 93 to
98 % of the last two seconds on nine of ten seeds; on the tenth, evolution does not find the way
up. A law of four gains tuned by hand reaches 89 %, and 38 % without the gain that minds what the
motor has been told already. The ablation trains without delays, and does not hold the pendulum
once there are some. The frozen control leaves the hidden units at their random start and trains
the agent alone.

The loss is Gym's cost `angle^2 + 0.1 spin^2 + 0.001 torque^2`, as `cost / (3 + cost)`, over the
last two seconds. The metric is the share of them in which the pendulum is within 0.3 of upright.
"""

from __future__ import annotations

from bionet.workloads.pendulum_async import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

RECIPE = Recipe(
    id="control-async-es",
    workload=WORKLOAD,
    method="es",
    budget=Budget(batch_size=8, epochs=10),
    options={
        "strategy": "SNES",
        "population": 64,
        "sigma": 0.5,
        "optimizer": "sgd",
        "learning_rate": 1.0,
    },
    ablation={"delays_in_training": False},
    ablated="delays while training",
    brief={"epochs": 2},
)
