"""Evolution on text, with a gated recurrent network and losses alone: how far does it get?

A small gated recurrent network (GRU: Cho et al., 2014 [cho2014learning]) predicts the next
character, trained by low-rank evolution (Sarkar et al., 2025 [sarkar2025evolution]): the members of
a population differ from the mean by matrices of rank one, and nothing but their losses is looked
at. By default it reads a drawn grammar of nested brackets with fillers between; `tinyshakespeare`,
a megabyte of plays, is read from a file. Each window begins with an empty memory.

It reads windows of 32 characters, in which less is open at a time and more of the text is its easy
beginning, so its numbers do not compare with those of `language-s5`. `language-es-v2` reads the
windows of 64 that `language-s5` reads, and as many of them.

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

PLAYS = {"population": 256, "chunk": 64, "learning_rate": 0.02, "epochs": 1}

RECIPE = Recipe(
    id="language-es",
    workload=WORKLOAD,
    method="lowrank-es",
    budget=Budget(batch_size=16, epochs=4),
    options={
        "rank": 1,
        "population": 128,
        "sigma": 0.05,
        "learning_rate": 0.05,
        "schedule": "cosine",
    },
    fields={"window": 32, "sequences": 512},
    presets={"tinyshakespeare": PLAYS},
    ablation={"recurrent": False},
    ablated="the memory from character to character",
    revisions={"control": 2, "baselines": 2},
)
