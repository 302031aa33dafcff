"""Can a recurrent spiking network follow one of two singers, and say what comes after the cue?

Two singers are heard at once, each by 40 neurons. A song is five short spike motifs with pauses
between them: one is the singer's cue, the others are drawn at random out of four. The class is the
motif that follows the cue of the first singer; the second sings in the same way and means nothing.
Each motif has a tempo of its own, 0.7 to 1.4 of its length, pauses are of random length, times are
jittered, a fifth of the spikes are missing and others come from nowhere. So the cue has to be held
over a pause of unknown length, until the next motif has been heard, and no longer. A recurrent
network of leaky integrate-and-fire units, written in dm-haiku, reads the spikes step by step and is
trained by surrogate gradients through time (arctan: Fang et al., 2021 [fang2021incorporating];
Neftci, Mostafa and Zenke, 2019 [neftci2019surrogate]).

What to expect: 96.8 % over five seeds, chance 25. Counts of spikes are at chance; one nearest
neighbour on the raw raster answers 32.9 % right, and a hundred of them 67.8 %, the best of what was
tried, on rasters that are smoothed and shifted to where they fit best. Rasters that look alike
mostly have the second singer in common, or motifs that do not count. Ridge on the frozen spiking
layer, the frozen control 33.3 %; without recurrent weights 54.6 %, about what one gets who knows
which motifs were sung but not in which order (53 %). The surrogate's slope decides: half of it, and
the network stays near chance. The demo takes half the epochs, and reaches less for it.

`classification-rsnn` is the same network on two motifs in fixed places, which one nearest neighbour
solves (99.8 %).

The loss is the mean softmax cross-entropy of the readout.
"""

from __future__ import annotations

from bionet.workloads.motif_songs import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

RECIPE = Recipe(
    id="classification-rsnn-v2",
    workload=WORKLOAD,
    method="surrogate",
    budget=Budget(batch_size=50, epochs=8),
    options={"learning_rate": 3e-3, "schedule": "cosine", "clip": 1.0},
    ablation={"recurrent": False},
    ablated="recurrent weights",
    brief={"epochs": 4},
    revisions={"baselines": 3},
)
