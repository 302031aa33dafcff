"""Evolution on text, with a gated recurrent network and losses alone: how far does it get?

The network and the method of `language-es` (GRU: Cho et al., 2014 [cho2014learning]; low-rank
evolution: Sarkar et al., 2025 [sarkar2025evolution]), on the windows of 64 characters that
`language-s5` reads, and as many of them; sigma and batch size are tuned for them. The text is a
drawn grammar of nested brackets with fillers between, and each window begins with an empty memory.

What to expect: about what a count of four characters guesses, which sees the last bracket, and less
than the best count of up to 16, which sees the brackets before it. Trigrams, which see the fillers
and no bracket, guess less. The ablation, without its recurrence, sees one character. The frozen
control, a ridge on the gated units at their random start, falls short of the network; a softmax
readout on the same units is above both, and its share stands beside the control's.

The metric is the share of characters that are guessed right. The loss is the mean cross-entropy of
the next character, in nats; the control's is that of its softmax readout.
"""

from __future__ import annotations

from bionet.workloads.text_gru import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

RECIPE = Recipe(
    id="language-es-v2",
    workload=WORKLOAD,
    method="lowrank-es",
    budget=Budget(batch_size=8, epochs=4),
    options={
        "rank": 1,
        "population": 128,
        "sigma": 0.1,
        "learning_rate": 0.05,
        "schedule": "cosine",
    },
    ablation={"recurrent": False},
    ablated="the memory from character to character",
    brief={"epochs": 1},
)
