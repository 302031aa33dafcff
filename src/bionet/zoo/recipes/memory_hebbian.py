"""Patterns in a recurrent network: how many can local learning store, and recall from a bad cue?

One layer of binary units with asymmetric couplings is shown random patterns. Each unit moves its
own incoming couplings until it would hold every pattern by itself, by a margin (Diederich and
Opper, 1987 [diederich1987learning]). Then the network is started from a corrupted
pattern and settles. Hebb's rule (Hopfield, 1982 [hopfield1982neural]), which adds each
pattern once, is the baseline: it breaks down above 0.14 patterns per unit, and the load here is
`patterns / units` = 0.3. With `rule="hebb"` the recipe is that baseline.

What to expect: nearly all patterns are recalled by the perceptron, nearly none by Hebb's rule.
Couplings that are solved at once, each unit regressed on all the others by ridge (the projection
rule of Personnaz, Guyon and Dreyfus, 1985, with a penalty), recall at least as many: what the local
rule shows is that it gets there with what is at the synapse. The optimum, which compares the cue
with a list of all patterns, is reported beside it. There is no frozen control: the one layer is all
that there is, and no layer is hidden. The ablation updates the units once instead of letting them
settle. Cues for training, validation and
test are corrupted independently; the patterns are the same, since what is to be learned is them.

The loss is the share of wrong units after recall.
"""

from __future__ import annotations

from bionet.workloads.stored_patterns import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

RECIPE = Recipe(
    id="memory-hebbian",
    workload=WORKLOAD,
    method="storage",
    budget=Budget(batch_size=60, epochs=40),
    options={"rule": "perceptron", "learning_rate": 1.0},
    ablation={"steps": 1},
    ablated="settling: all units are updated once",
    revisions={"baselines": 2},
)
