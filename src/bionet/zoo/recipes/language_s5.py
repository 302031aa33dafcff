"""Does a state-space network remember what a window of characters does not show?

A small network of S5 layers (Smith, Warrington and Linderman, 2022 [smith2022simplified]) predicts
the next character, trained by backprop. By default it reads a drawn grammar of nested brackets with
fillers between, where the bracket to be closed is out of sight of trigrams, in windows of 64
characters; `tinyshakespeare`, a megabyte of plays, is read from a file. Each window begins with an
empty memory.

What to expect: on the grammar about what the optimum guesses, which knows the grammar and all that
is open, and more than any count of up to 16 characters. A count of four sees the last bracket, a
longer one the brackets before it. Without its state-space layers (the ablation) the network sees
one character and is a bigram. The frozen control solves the readout by ridge, behind state-space
layers that stay at their random start.

The loss is the mean cross-entropy of the next character, in nats; that of the frozen control is of
a softmax readout on the same frozen features. The metric is the share of
characters that are guessed right.
"""

from __future__ import annotations

from bionet.workloads.text_s5 import WORKLOAD
from bionet.zoo.fields import Budget
from bionet.zoo.recipe import Recipe

PLAYS = {"learning_rate": 4e-3, "batch_size": 16, "epochs": 4}

RECIPE = Recipe(
    id="language-s5",
    workload=WORKLOAD,
    method="backprop",
    budget=Budget(batch_size=32, epochs=8),
    options={
        "learning_rate": 3e-2,
        "optimizer": "adamw",
        "schedule": "warmup-cosine",
        "clip": 1.0,
        "weight_decay": 0.01,
    },
    presets={"tinyshakespeare": PLAYS},
    ablation={"memory": False},
    ablated="the state-space layers",
    revisions={"control": 2, "baselines": 2},
)
