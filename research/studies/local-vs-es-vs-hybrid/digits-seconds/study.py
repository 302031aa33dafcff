"""Digits, every arm six seconds; see ../README.md."""

from bionet.studies import Arm, Budget, Study

RECIPE = "classification-local"
TASK = {"hidden": 32, "batch_size": 64}


def arm(method: str | None = None, fields: dict | None = None, **options: object) -> Arm:
    """One and the same binary network, with the numbers that tuning found at 20,000 evaluations."""
    return Arm(RECIPE, TASK | (fields or {}), method, options)


STUDY = Study(
    name="local-vs-es-vs-hybrid-digits-seconds",
    question=(
        "Does a correction by evolution pay for itself when the bulk direction is a local rule? "
        "Digits, at equal seconds."
    ),
    arms={
        "local": arm(
            None, {"rate_in": 0.0706, "rate_out": 0.176, "threshold_in": 0.78, "epochs": 350}
        ),
        "es": arm("es", learning_rate=0.142, sigma=0.279),
        "lowrank-es": arm("lowrank-es", population=64, learning_rate=0.218, sigma=0.473),
        "local-es-raw": arm(
            "local-es",
            {"rate_in": 0.0746, "rate_out": 0.182, "epochs": 200},
            normalize=False,
            lam=0.112,
            sigma=0.0985,
        ),
        "local-es-normalised": arm(
            "local-es", {"rate_in": 0.0307, "rate_out": 0.591, "epochs": 200}, lam=2.1, sigma=0.0411
        ),
        "self-guided-es": arm("self-guided-es", learning_rate=0.0297, sigma=0.109),
        "backprop": arm("backprop", learning_rate=0.000475, gain=0.512),
        "frozen": Arm(RECIPE, TASK, control=True),
    },
    seeds=range(10),
    budget=Budget(6, "seconds", steps=50),
    metrics=("accuracy", "loss"),
    control="frozen",
    against="local",
)
