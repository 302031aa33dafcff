"""The papers that recipes follow, as the catalogue cites them.

One entry each, by first author and year, so that two recipes which follow one paper cite it in the
same words. `bionet.zoo.cite` turns them into BibTeX.
"""

from __future__ import annotations

from bionet.zoo.spec import Reference

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
WIERSTRA_2014 = Reference(
    key="wierstra2014natural",
    title="Natural Evolution Strategies",
    authors=(
        "Daan Wierstra",
        "Tom Schaul",
        "Tobias Glasmachers",
        "Yi Sun",
        "Jan Peters",
        "Jürgen Schmidhuber",
    ),
    year=2014,
    venue="Journal of Machine Learning Research 15",
    url="https://jmlr.org/papers/v15/wierstra14a.html",
)
BROCKMAN_2016 = Reference(
    key="brockman2016gym",
    title="OpenAI Gym",
    authors=(
        "Greg Brockman",
        "Vicki Cheung",
        "Ludwig Pettersson",
        "Jonas Schneider",
        "John Schulman",
        "Jie Tang",
        "Wojciech Zaremba",
    ),
    year=2016,
    venue="arXiv:1606.01540",
    url="https://arxiv.org/abs/1606.01540",
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
SMITH_2022 = Reference(
    key="smith2022simplified",
    title="Simplified State Space Layers for Sequence Modeling",
    authors=("Jimmy T. H. Smith", "Andrew Warrington", "Scott W. Linderman"),
    year=2022,
    venue="arXiv:2208.04933",
    url="https://arxiv.org/abs/2208.04933",
)
CHO_2014 = Reference(
    key="cho2014learning",
    title="Learning Phrase Representations using RNN Encoder-Decoder",
    authors=(
        "Kyunghyun Cho",
        "Bart van Merriënboer",
        "Caglar Gulcehre",
        "Dzmitry Bahdanau",
        "Fethi Bougares",
        "Holger Schwenk",
        "Yoshua Bengio",
    ),
    year=2014,
    venue="arXiv:1406.1078",
    url="https://arxiv.org/abs/1406.1078",
)
BELLEC_2018 = Reference(
    key="bellec2018long",
    title="Long short-term memory and learning-to-learn in networks of spiking neurons",
    authors=(
        "Guillaume Bellec",
        "Darjan Salaj",
        "Anand Subramoney",
        "Robert Legenstein",
        "Wolfgang Maass",
    ),
    year=2018,
    venue="arXiv:1803.09574",
    url="https://arxiv.org/abs/1803.09574",
)
