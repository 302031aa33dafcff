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

WERBOS_1990 = Reference(
    key="werbos1990backpropagation",
    title="Backpropagation through time: what it does and how to do it",
    authors=("Paul J. Werbos",),
    year=1990,
    venue="Proceedings of the IEEE 78(10)",
    url="https://doi.org/10.1109/5.58337",
)
RUMELHART_1986 = Reference(
    key="rumelhart1986learning",
    title="Learning representations by back-propagating errors",
    authors=("David E. Rumelhart", "Geoffrey E. Hinton", "Ronald J. Williams"),
    year=1986,
    venue="Nature 323",
    url="https://doi.org/10.1038/323533a0",
)
LILLICRAP_2016 = Reference(
    key="lillicrap2016random",
    title="Random synaptic feedback weights support error backpropagation for deep learning",
    authors=(
        "Timothy P. Lillicrap",
        "Daniel Cownden",
        "Douglas B. Tweed",
        "Colin J. Akerman",
    ),
    year=2016,
    venue="Nature Communications 7",
    url="https://doi.org/10.1038/ncomms13276",
)
NOKLAND_2016 = Reference(
    key="nokland2016direct",
    title="Direct feedback alignment provides learning in deep neural networks",
    authors=("Arild Nøkland",),
    year=2016,
    venue="arXiv:1609.01596",
    url="https://arxiv.org/abs/1609.01596",
)
HOPFIELD_1982 = Reference(
    key="hopfield1982neural",
    title="Neural networks and physical systems with emergent collective computational abilities",
    authors=("John J. Hopfield",),
    year=1982,
    venue="Proceedings of the National Academy of Sciences 79(8)",
    url="https://doi.org/10.1073/pnas.79.8.2554",
)
DIEDERICH_1987 = Reference(
    key="diederich1987learning",
    title="Learning of correlated patterns in spin-glass networks by local learning rules",
    authors=("Sigurd Diederich", "Manfred Opper"),
    year=1987,
    venue="Physical Review Letters 58(9)",
    url="https://doi.org/10.1103/PhysRevLett.58.949",
)
SALIMANS_2017 = Reference(
    key="salimans2017evolution",
    title="Evolution strategies as a scalable alternative to reinforcement learning",
    authors=("Tim Salimans", "Jonathan Ho", "Xi Chen", "Szymon Sidor", "Ilya Sutskever"),
    year=2017,
    venue="arXiv:1703.03864",
    url="https://arxiv.org/abs/1703.03864",
)
SARKAR_2025 = Reference(
    key="sarkar2025evolution",
    title="Evolution Strategies at the Hyperscale",
    authors=("Bidipta Sarkar", "others"),
    year=2025,
    venue="arXiv:2511.16652",
    url="https://arxiv.org/abs/2511.16652",
)
NOMURA_2022 = Reference(
    key="nomura2022fast",
    title="Fast Moving Natural Evolution Strategy for High-Dimensional Problems",
    authors=("Masahiro Nomura", "Isao Ono"),
    year=2022,
    venue="arXiv:2201.11422",
    url="https://arxiv.org/abs/2201.11422",
)
NEFTCI_2019 = Reference(
    key="neftci2019surrogate",
    title="Surrogate gradient learning in spiking neural networks",
    authors=("Emre O. Neftci", "Hesham Mostafa", "Friedemann Zenke"),
    year=2019,
    venue="arXiv:1901.09948",
    url="https://arxiv.org/abs/1901.09948",
)
FANG_2021 = Reference(
    key="fang2021incorporating",
    title="Incorporating Learnable Membrane Time Constant to Enhance Learning of Spiking Neural "
    "Networks",
    authors=(
        "Wei Fang",
        "Zhaofei Yu",
        "Yanqi Chen",
        "Timothée Masquelier",
        "Tiejun Huang",
        "Yonghong Tian",
    ),
    year=2021,
    venue="arXiv:2007.05785",
    url="https://arxiv.org/abs/2007.05785",
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
    RecipeSpec(
        id="prototypes-backprop",
        application="prototypes",
        method="backprop",
        architecture="binary-rnn",
        family="first-order",
        summary="The smooth twin of the binary network, trained by backprop through time.",
        entry_point="bionet.zoo.recipes.prototypes_backprop:RECIPE",
        references=(WERBOS_1990,),
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
        references=(RUMELHART_1986,),
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
        references=(LILLICRAP_2016,),
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
        references=(NOKLAND_2016,),
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
            HOPFIELD_1982,
            DIEDERICH_1987,
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
        references=(SALIMANS_2017,),
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
            SARKAR_2025,
            SALIMANS_2017,
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
        references=(SALIMANS_2017,),
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
        references=(NOMURA_2022,),
        datasets=("cart-pole",),
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
            BADALOTTI_2025,
            SALIMANS_2017,
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
            BADALOTTI_2025,
            SALIMANS_2017,
        ),
        datasets=("digits", "mnist", "fashion-mnist"),
    ),
    RecipeSpec(
        id="classification-rsnn",
        application="classification",
        method="surrogate",
        architecture="lif-rnn",
        family="first-order",
        summary="Spikes now and a while ago, combined by a network with surrogate gradients.",
        entry_point="bionet.zoo.recipes.classification_rsnn:RECIPE",
        references=(NEFTCI_2019, FANG_2021),
        datasets=("spike-motifs",),
    ),
    RecipeSpec(
        id="classification-rsnn-hybrid",
        application="classification",
        method="surrogate-es",
        architecture="lif-rnn",
        family="hybrid",
        summary="Surrogate gradients of a spiking network, corrected by evolution.",
        entry_point="bionet.zoo.recipes.classification_rsnn_hybrid:RECIPE",
        references=(NEFTCI_2019, SALIMANS_2017),
        datasets=("spike-motifs",),
    ),
)
"""Every recipe of this package, in the order in which `bionet list` shows them."""
