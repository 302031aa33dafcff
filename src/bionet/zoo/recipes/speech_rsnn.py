"""Can spiking units with a memory tell spoken digits apart, even of a voice never heard?

One layer of leaky integrate-and-fire units with adaptive thresholds and recurrent weights (Bellec
et al., 2018 [bellec2018long]) hears a digit as spikes and is trained by backprop through time with
a surrogate derivative. The data sets are ten words made of the same four syllables (drawn, the
default), and spoken digits from files: `fsdd` in its official split, and `fsdd-held-out-speaker`,
where the test is a speaker who is in no other part.

What to expect: on the drawn words the class mean of spike counts is at chance, since nothing but
the order tells them apart, and the network does better with its recurrence than without (the
ablation). Rules that read when each spike comes are far from chance: ridge on the spikes is the
strongest of them, and below the network. The frozen control solves the readout of a random layer,
with its recurrent weights or without them, whichever validation data prefers.

The loss is the mean softmax cross-entropy of the readout of the mean spikes.
"""

from __future__ import annotations

from bionet.workloads.spoken_words import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

RECORDED = {"learning_rate": 5e-3, "epochs": 12}

RECIPE = Recipe(
    id="speech-rsnn",
    workload=WORKLOAD,
    method="surrogate",
    budget=Budget(batch_size=50, epochs=15),
    options={"learning_rate": 1e-2, "schedule": "cosine", "clip": 1.0},
    presets={"fsdd-held-out-speaker": RECORDED, "fsdd": RECORDED},
    ablation={"recurrent": False},
    ablated="the recurrent weights",
    revisions={"control": 2, "baselines": 2},
)
