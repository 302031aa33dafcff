"""The catalogue: one spec for each recipe of this package, and no import of any of them.

A reader finds here what exists; the code of a recipe is in `bionet.zoo.recipes`, under its
id with underscores, and what was measured of it is in `measured.json`. A change that moves a
recipe's numbers gets a new id that ends in `-v2`, and the old one stays. Tags are few and
stable: look for one that fits before making one up.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from bionet.zoo.spec import Band, Cost, Margin, RecipeSpec

EVIDENCE = "research/evidence"
"""Where the bands, margins and costs of `measured.json` come from; `make evidence` writes it."""


def _with_evidence(spec: RecipeSpec, found: dict[str, Any]) -> RecipeSpec:
    """The spec with what has been measured of it."""
    rows: list[dict[str, Any]] = [{"study": EVIDENCE, **each} for each in found.get("bands", ())]
    bands = (Band(**row) for row in rows)
    margins = tuple(Margin(**each) for each in found.get("margins", ()))
    cost = Cost(**found["cost"]) if "cost" in found else None
    expected = (*spec.expected, *bands)
    return dataclasses.replace(spec, expected=expected, margins=margins, cost=cost)


_SPECS = (
    RecipeSpec(
        id="prototypes-local",
        application="prototypes",
        method="two-phase",
        architecture="binary-rnn",
        family="local",
        summary="Binary units learn to tell noisy prototypes apart, without any gradient.",
        entry_point="bionet.zoo.recipes.prototypes_local:RECIPE",
        references=("badalotti2025dynamical",),
        datasets=("prototypes",),
    ),
    RecipeSpec(
        id="classification-local",
        application="classification",
        method="two-phase",
        architecture="binary-rnn",
        family="local",
        summary="Binary units learn to classify images, without any gradient.",
        entry_point="bionet.zoo.recipes.classification_local:RECIPE",
        references=("badalotti2025dynamical",),
        datasets=("digits", "mnist", "fashion-mnist"),
    ),
    RecipeSpec(
        id="classification-local-sparse",
        application="classification",
        method="error-phase",
        architecture="binary-rnn",
        family="local",
        summary="Sparse binary units learn images from their errors, without a gradient.",
        entry_point="bionet.zoo.recipes.classification_local_sparse:RECIPE",
        references=("badalotti2025dynamical",),
        datasets=("digits", "mnist", "fashion-mnist"),
    ),
    RecipeSpec(
        id="prototypes-backprop",
        application="prototypes",
        method="backprop",
        architecture="binary-rnn",
        family="first-order",
        summary="The smooth twin of the binary network, trained by backprop through time.",
        entry_point="bionet.zoo.recipes.prototypes_backprop:RECIPE",
        references=("werbos1990backpropagation",),
        datasets=("prototypes",),
    ),
    RecipeSpec(
        id="classification-backprop",
        application="classification",
        method="backprop",
        architecture="mlp",
        family="first-order",
        summary="The yardstick: a feed-forward network trained by backprop.",
        entry_point="bionet.zoo.recipes.classification_backprop:RECIPE",
        references=("rumelhart1986learning",),
        datasets=("digits", "mnist", "fashion-mnist"),
    ),
    RecipeSpec(
        id="classification-feedback-alignment",
        application="classification",
        method="feedback-alignment",
        architecture="mlp",
        family="local",
        summary="Errors go back through fixed random weights, layer by layer.",
        entry_point="bionet.zoo.recipes.classification_feedback_alignment:RECIPE",
        references=("lillicrap2016random",),
        datasets=("digits", "mnist", "fashion-mnist"),
    ),
    RecipeSpec(
        id="classification-dfa",
        application="classification",
        method="dfa",
        architecture="mlp",
        family="local",
        summary="Each hidden layer hears the output's error through fixed random weights.",
        entry_point="bionet.zoo.recipes.classification_dfa:RECIPE",
        references=("nokland2016direct",),
        datasets=("digits", "mnist", "fashion-mnist"),
    ),
    RecipeSpec(
        id="memory-hebbian",
        application="memory",
        method="storage",
        architecture="binary-rnn",
        family="local",
        summary="Patterns stored by a local rule, and recalled from corrupted cues.",
        entry_point="bionet.zoo.recipes.memory_hebbian:RECIPE",
        references=(
            "hopfield1982neural",
            "diederich1987learning",
        ),
        datasets=("patterns",),
    ),
    RecipeSpec(
        id="prototypes-es",
        application="prototypes",
        method="es",
        architecture="binary-rnn",
        family="zeroth-order",
        summary="Binary units trained by an evolution strategy, on the loss alone.",
        entry_point="bionet.zoo.recipes.prototypes_es:RECIPE",
        references=("salimans2017evolution",),
        datasets=("prototypes",),
    ),
    RecipeSpec(
        id="classification-lowrank-es",
        application="classification",
        method="lowrank-es",
        architecture="mlp",
        family="zeroth-order",
        summary="Images by an evolution strategy whose noise has low rank.",
        entry_point="bionet.zoo.recipes.classification_lowrank_es:RECIPE",
        references=(
            "sarkar2025evolution",
            "salimans2017evolution",
        ),
        datasets=("digits", "mnist", "fashion-mnist"),
    ),
    RecipeSpec(
        id="control-lif-es",
        application="control",
        method="es",
        architecture="lif-mlp",
        family="zeroth-order",
        summary="A spiking policy brings a point mass to rest, trained by evolution.",
        entry_point="bionet.zoo.recipes.control_lif_es:RECIPE",
        references=("salimans2017evolution",),
        datasets=("point-mass",),
    ),
    RecipeSpec(
        id="control-cartpole-es",
        application="control",
        method="es",
        architecture="lif-mlp",
        family="zeroth-order",
        summary="A spiking policy balances a pole, trained by evolution.",
        entry_point="bionet.zoo.recipes.control_cartpole_es:RECIPE",
        references=("nomura2022fast",),
        datasets=("cart-pole",),
    ),
    RecipeSpec(
        id="control-async-es",
        application="control",
        method="es",
        architecture="async-mlp",
        family="zeroth-order",
        summary="Parts without a common clock swing a pendulum up, evolved through delays.",
        entry_point="bionet.zoo.recipes.control_async_es:RECIPE",
        references=("wierstra2014natural", "brockman2016gym"),
        datasets=("pendulum",),
    ),
    RecipeSpec(
        id="prototypes-async-local",
        application="prototypes",
        method="async-two-phase",
        architecture="async-binary-rnn",
        family="local",
        summary="Binary layers without a common clock learn to tell prototypes apart.",
        entry_point="bionet.zoo.recipes.prototypes_async_local:RECIPE",
        references=("badalotti2025dynamical",),
        datasets=("prototypes",),
    ),
    RecipeSpec(
        id="prototypes-hybrid",
        application="prototypes",
        method="local-es",
        architecture="binary-rnn",
        family="hybrid",
        summary="A local rule on noisy prototypes, corrected by evolution.",
        entry_point="bionet.zoo.recipes.prototypes_hybrid:RECIPE",
        references=(
            "badalotti2025dynamical",
            "salimans2017evolution",
        ),
        datasets=("prototypes",),
    ),
    RecipeSpec(
        id="classification-hybrid",
        application="classification",
        method="local-es",
        architecture="binary-rnn",
        family="hybrid",
        summary="A local rule on images, corrected by evolution.",
        entry_point="bionet.zoo.recipes.classification_hybrid:RECIPE",
        references=(
            "badalotti2025dynamical",
            "salimans2017evolution",
        ),
        datasets=("digits", "mnist", "fashion-mnist"),
    ),
    RecipeSpec(
        id="classification-rsnn",
        application="classification",
        method="surrogate",
        architecture="lif-rnn",
        family="first-order",
        summary="Spiking units add up two motifs in time; one nearest neighbour does it too.",
        entry_point="bionet.zoo.recipes.classification_rsnn:RECIPE",
        references=("neftci2019surrogate", "fang2021incorporating"),
        datasets=("spike-motifs",),
    ),
    RecipeSpec(
        id="classification-rsnn-v2",
        application="classification",
        method="surrogate",
        architecture="lif-rnn",
        family="first-order",
        summary="Two singers at once: spiking units name the motif after the cue of one.",
        entry_point="bionet.zoo.recipes.classification_rsnn_v2:RECIPE",
        references=("neftci2019surrogate", "fang2021incorporating"),
        datasets=("motif-songs",),
    ),
    RecipeSpec(
        id="classification-rsnn-hybrid",
        application="classification",
        method="surrogate-es",
        architecture="lif-rnn",
        family="hybrid",
        summary="Surrogate gradients of a spiking network, corrected by evolution.",
        entry_point="bionet.zoo.recipes.classification_rsnn_hybrid:RECIPE",
        references=("neftci2019surrogate", "salimans2017evolution"),
        datasets=("spike-motifs",),
    ),
    RecipeSpec(
        id="language-s5",
        application="language",
        method="backprop",
        architecture="s5",
        family="first-order",
        summary="State-space layers predict the next character of a text with a long memory.",
        entry_point="bionet.zoo.recipes.language_s5:RECIPE",
        references=("smith2022simplified",),
        datasets=("grammar", "tinyshakespeare"),
    ),
    RecipeSpec(
        id="language-es",
        application="language",
        method="lowrank-es",
        architecture="gru",
        family="zeroth-order",
        summary="A gated recurrent network learns windows of 32 characters by evolution.",
        entry_point="bionet.zoo.recipes.language_es:RECIPE",
        references=(
            "sarkar2025evolution",
            "cho2014learning",
        ),
        datasets=("grammar", "tinyshakespeare"),
    ),
    RecipeSpec(
        id="language-es-v2",
        application="language",
        method="lowrank-es",
        architecture="gru",
        family="zeroth-order",
        summary="The same by evolution in the windows of language-s5, 64 characters long.",
        entry_point="bionet.zoo.recipes.language_es_v2:RECIPE",
        references=(
            "sarkar2025evolution",
            "cho2014learning",
        ),
        datasets=("grammar",),
    ),
    RecipeSpec(
        id="speech-rsnn",
        application="temporal",
        method="surrogate",
        architecture="adaptive-lif-rnn",
        family="first-order",
        summary="Recurrent spiking units with adaptive thresholds tell spoken digits apart.",
        entry_point="bionet.zoo.recipes.speech_rsnn:RECIPE",
        references=("bellec2018long",),
        datasets=("synthetic-digits", "fsdd-held-out-speaker", "fsdd"),
    ),
)

_MEASURED = json.loads(Path(__file__).with_name("measured.json").read_text("utf-8"))

SPECS = tuple(_with_evidence(spec, _MEASURED.get(spec.id, {})) for spec in _SPECS)
"""Every recipe of this package, in the order in which `bionet list` shows them."""
