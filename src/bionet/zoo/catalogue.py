"""The catalogue: one spec for each recipe of this package, and no import of any of them.

A reader finds here what exists; the code of a recipe is in `bionet.zoo.recipes`, under its
id with underscores. A change that moves a recipe's numbers gets a new id that ends in `-v2`,
and the old one stays. Tags are few and stable: look for one that fits before making one up.
"""

from __future__ import annotations

from bionet.zoo.spec import Band, RecipeSpec, Reference

BADALOTTI_2025 = Reference(
    key="badalotti2025dynamical",
    title="Dynamical Learning in Deep Asymmetric Recurrent Neural Networks",
    authors=(
        "Davide Badalotti",
        "Carlo Baldassi",
        "Marc Mézard",
        "Mattia Scardecchia",
        "Riccardo Zecchina",
    ),
    year=2025,
    venue="arXiv:2509.05041",
    url="https://arxiv.org/abs/2509.05041",
)

SPECS = (
    RecipeSpec(
        id="prototypes-local",
        application="prototypes",
        method="two-phase",
        architecture="binary-rnn",
        family="local",
        summary="Binary units learn to tell noisy prototypes apart, without any gradient.",
        entry_point="bionet.zoo.recipes.prototypes_local:RECIPE",
        references=(BADALOTTI_2025,),
        datasets=("prototypes",),
        expected=(
            Band("accuracy", 0.957, 0.972, 5, "research/studies/first-recipes", "prototypes"),
        ),
    ),
    RecipeSpec(
        id="classification-local",
        application="classification",
        method="two-phase",
        architecture="binary-rnn",
        family="local",
        summary="Binary units learn to classify images, without any gradient.",
        entry_point="bionet.zoo.recipes.classification_local:RECIPE",
        references=(BADALOTTI_2025,),
        datasets=("digits", "mnist", "fashion-mnist"),
        expected=(
            Band("accuracy", 0.956, 0.966, 5, "research/studies/first-recipes", "digits"),
            Band("accuracy", 0.950, 0.959, 1, "research/studies/mnist-local", "mnist"),
        ),
    ),
    RecipeSpec(
        id="classification-local-sparse",
        application="classification",
        method="error-phase",
        architecture="binary-rnn",
        family="local",
        summary="Sparse binary units learn images from their errors, without a gradient.",
        entry_point="bionet.zoo.recipes.classification_local_sparse:RECIPE",
        references=(BADALOTTI_2025,),
        datasets=("digits", "mnist", "fashion-mnist"),
        expected=(
            Band("accuracy", 0.978, 0.982, 5, "research/studies/mnist-local-sparse", "mnist"),
        ),
    ),
)
"""Every recipe of this package, in the order in which `bionet list` shows them."""
