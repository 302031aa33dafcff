"""Digits: pairs, share and noise of the correction; see ../README.md."""

from bionet.studies import Arm, Budget, Study

RECIPE = "classification-local"
TASK = {"hidden": 32, "batch_size": 64}


def arm(**options: object) -> Arm:
    """The network of the other studies, its local rule corrected by evolution."""
    return Arm(RECIPE, TASK, "local-es", options)


GRID = {
    f"k{pairs}-lam-{str(lam).replace('.', '-')}": arm(num_samples=pairs, lam=lam, sigma=0.1)
    for pairs in (2, 8, 32)
    for lam in (0.25, 0.5, 1.0, 2.0)
}
NOISE = {
    f"k8-lam-0-5-sigma-{str(sigma).replace('.', '-')}": arm(num_samples=8, lam=0.5, sigma=sigma)
    for sigma in (0.025, 0.05, 0.2, 0.4)
}
RAW = {
    f"raw-k8-lam-{str(lam).replace('.', '-')}": arm(
        num_samples=8, lam=lam, sigma=0.1, normalize=False
    )
    for lam in (0.3, 1.0, 3.0, 10.0)
}

STUDY = Study(
    name="local-vs-es-vs-hybrid-digits-sweep",
    question=(
        "How do pairs, share and noise of the correction matter? Digits, at equal loss evaluations."
    ),
    arms={
        "local": Arm(RECIPE, TASK),
        **GRID,
        **NOISE,
        **RAW,
        "frozen": Arm(RECIPE, TASK, control=True),
    },
    seeds=range(5),
    budget=Budget(20_000, "evaluations", steps=200),
    metrics=("accuracy", "loss"),
    control="frozen",
    against="local",
)
