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
        "local": arm(None, {"rate_in": 0.24, "rate_out": 0.34, "threshold_in": 1.4, "epochs": 350}),
        "es": arm("es", learning_rate=0.43, sigma=0.944),
        "lowrank-es": arm("lowrank-es", population=64, learning_rate=0.178, sigma=0.219),
        "local-es-raw": arm(
            "local-es",
            {"rate_in": 0.196, "rate_out": 0.274, "epochs": 200},
            normalize=False,
            lam=0.177,
            sigma=0.0873,
        ),
        "local-es-normalised": arm(
            "local-es",
            {"rate_in": 0.116, "rate_out": 0.464, "epochs": 200},
            lam=1.87,
            sigma=0.0245,
        ),
        "self-guided-es": arm("self-guided-es", learning_rate=0.205, sigma=1.69),
        "past-guided-es": arm("past-guided-es", learning_rate=0.0482, sigma=0.299),
        "backprop": arm("backprop", learning_rate=0.001, gain=1.0),
        "frozen": Arm(RECIPE, TASK, control=True),
    },
    seeds=range(10),
    budget=Budget(6, "seconds", steps=50),
    metrics=("accuracy", "loss"),
    control="frozen",
    against="local",
)
