"""Noisy prototypes, every arm six seconds; see ../README.md."""

from bionet.studies import Arm, Budget, Study

RECIPE = "prototypes-local"
TASK = {"hidden": 32, "batch_size": 64, "clamped": 5, "free": 5}


def arm(method: str | None = None, fields: dict | None = None, **options: object) -> Arm:
    """One and the same binary network, with the numbers that tuning found at 20,000 evaluations."""
    return Arm(RECIPE, TASK | (fields or {}), method, options)


STUDY = Study(
    name="local-vs-es-vs-hybrid-prototypes-seconds",
    question=(
        "Does a correction by evolution pay for itself when the bulk direction is a local rule? "
        "Noisy prototypes, at equal seconds."
    ),
    arms={
        "local": arm(None, {"learning_rate": 0.000684, "threshold_in": 5.74}),
        "es": arm("es", learning_rate=0.0243, sigma=0.169),
        "lowrank-es": arm("lowrank-es", population=64, learning_rate=0.0517, sigma=0.499),
        "local-es-raw": arm(
            "local-es", {"learning_rate": 0.00419}, normalize=False, lam=0.256, sigma=0.11
        ),
        "local-es-normalised": arm("local-es", {"learning_rate": 0.00297}, lam=0.102, sigma=0.253),
        "self-guided-es": arm("self-guided-es", learning_rate=0.0342, sigma=0.47),
        "backprop": arm("backprop", learning_rate=0.000653, gain=2.5),
        "frozen": Arm(RECIPE, TASK, control=True),
    },
    seeds=range(10),
    budget=Budget(6, "seconds", steps=50),
    metrics=("accuracy", "loss"),
    control="frozen",
    against="local",
)
