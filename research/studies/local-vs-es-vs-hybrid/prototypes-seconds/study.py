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
        "local": arm(None, {"learning_rate": 0.000433, "threshold_in": 4.35}),
        "es": arm("es", learning_rate=0.0365, sigma=0.32),
        "lowrank-es": arm("lowrank-es", population=64, learning_rate=0.0302, sigma=0.214),
        "local-es-raw": arm(
            "local-es", {"learning_rate": 0.002}, normalize=False, lam=0.2, sigma=0.05
        ),
        "local-es-normalised": arm("local-es", {"learning_rate": 0.00375}, lam=2.06, sigma=0.297),
        "self-guided-es": arm("self-guided-es", learning_rate=0.0162, sigma=0.423),
        "past-guided-es": arm("past-guided-es", learning_rate=0.0205, sigma=0.526),
        "backprop": arm("backprop", learning_rate=0.00236, gain=0.684),
        "frozen": Arm(RECIPE, TASK, control=True),
    },
    seeds=range(10),
    budget=Budget(6, "seconds", steps=50),
    metrics=("accuracy", "loss"),
    control="frozen",
    against="local",
)
