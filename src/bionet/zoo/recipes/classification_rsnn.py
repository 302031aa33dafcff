"""Can a recurrent spiking network combine what it hears now with what it heard a while ago?

Two short spike motifs come one after the other, with a pause between them; both are one of four,
and the class is the sum of their numbers modulo four. Either motif alone says nothing about the
class, nor does the number of spikes, nor any sum of evidence over time: the first has to be held
until the second comes. Times are jittered and some spikes are missing. A recurrent network of leaky
integrate-and-fire units, written in dm-haiku, reads the spikes step by step and is trained by
surrogate gradients through time (arctan: Fang et al., 2021 [fang2021incorporating]; Neftci, Mostafa
and Zenke, 2019 [neftci2019surrogate]).

What to expect: far more than the count of spikes, which is at chance, more than the frozen
control, whose spiking layer stays at its random start with a ridge readout tuned on validation
data, and more than the ablation, which has no recurrent weights. But no network is needed for it:
both motifs are always at the same place, so of 3,000 samples one has nearly the same spikes, and
one nearest neighbour on the raw raster answers 99.8 % right, more than this recipe. It shows that a
spiking network can be trained to do this, and not that it is the way to do it. The task that
neighbours do not solve is that of `classification-rsnn-v2`.

The loss is the mean softmax cross-entropy of the readout.
"""

from __future__ import annotations

from bionet.workloads.spike_motifs import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

RECIPE = Recipe(
    id="classification-rsnn",
    workload=WORKLOAD,
    method="surrogate",
    budget=Budget(batch_size=50, epochs=20),
    options={"learning_rate": 5e-3, "schedule": "cosine", "clip": 1.0},
    ablation={"recurrent": False},
    ablated="recurrent weights",
    revisions={"baselines": 2},
)
