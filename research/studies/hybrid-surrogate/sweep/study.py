"""Five spiking units: pairs and weight of the correction; see ../README.md."""

from bionet.studies import Arm, Budget, Study

RECIPE = "classification-rsnn"
TASK = {"classes": 3, "hidden": 5, "motif": 5, "pause": 2, "samples": 10_000}
RATE = 5e-3  # the recipe's, for all arms


def arm(pairs: int, lam: float, **options: object) -> Arm:
    """The network of the other study, its surrogate gradient corrected by evolution."""
    options = {"learning_rate": RATE, "num_samples": pairs, "lam": lam, "sigma": 0.05} | options
    return Arm(RECIPE, TASK, "surrogate-es", options)


def named(lam: float) -> str:
    """A weight as a part of a name."""
    return f"lam-{str(lam).replace('.', '-')}"


GRID = {
    f"k{pairs}-{named(lam)}": arm(pairs, lam)
    for pairs in (2, 4, 16)
    for lam in (0.0, 0.1, 0.3, 1.0)
}
SNR = {
    f"snr-k{pairs}-{named(lam)}": arm(pairs, lam, snr=True)
    for pairs in (2, 4, 16)
    for lam in (0.3, 1.0, 3.0)
}
RAW = {f"raw-k4-{named(lam)}": arm(4, lam, normalize=False) for lam in (0.01, 0.03, 0.1, 0.3)}

STUDY = Study(
    name="hybrid-surrogate-sweep",
    question=(
        "How do pairs and weight of the correction matter? Spike motifs with five units, at equal "
        "loss evaluations."
    ),
    arms={
        "surrogate": Arm(RECIPE, TASK, "surrogate", {"learning_rate": RATE}),
        **GRID,
        **SNR,
        **RAW,
        "frozen": Arm(RECIPE, TASK, control=True),
    },
    seeds=range(5),
    budget=Budget(60_000, "evaluations", steps=200),
    metrics=("accuracy", "loss"),
    control="frozen",
    against="surrogate",
)
