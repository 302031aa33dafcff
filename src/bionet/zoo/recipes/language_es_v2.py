"""How far does evolution get on text, with a gated recurrent network and losses alone?

A small gated recurrent network (GRU: Cho et al., 2014, arXiv:1406.1078) predicts the next
character, trained by low-rank evolution (Sarkar et al., 2025, arXiv:2511.16652): the members of a
population differ from the mean by matrices of rank one, and nothing but their losses is looked at.
It reads a drawn grammar of nested brackets with fillers between. Each window begins with an empty
memory.

It reads the windows of 64 characters that `language-s5` reads, and as many of them; sigma and batch
size are tuned for them. `language-es` reads windows of 32, in which less is open at a time and more
of the text is its easy beginning, so its numbers do not compare with these.

What to expect: more than trigrams guess, which see the fillers and no bracket; about what a count
of four characters guesses, which sees the last bracket; less than the best count of up to 16
characters, which sees the brackets before it. Without its recurrence (the ablation) the network
sees one character. The frozen control solves the readout of the gated units at their random start
by ridge, which falls short of the network; a softmax readout on the same frozen units guesses more
than the ridge and more than the network: its share stands beside the control's.
Backprop on the same network is `--method backprop`.

The loss is the mean cross-entropy of the next character, in nats; that of the frozen control is of
the softmax readout. The metric is the share of characters that are guessed right.
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
