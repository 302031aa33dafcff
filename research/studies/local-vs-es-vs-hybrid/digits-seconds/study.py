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
        "es": arm("es", learning_rate=0.254, sigma=0.405),
        "lowrank-es": arm("lowrank-es", population=64, learning_rate=0.178, sigma=0.219),
        "local-es-raw": arm(
            "local-es",
            {"rate_in": 0.53, "rate_out": 0.755, "epochs": 200},
            normalize=False,
            lam=0.179,
            sigma=0.074,
        ),
        "local-es-normalised": arm(
            "local-es",
            {"rate_in": 0.0225, "rate_out": 0.0735, "epochs": 200},
            lam=0.801,
            sigma=0.0359,
        ),
        "self-guided-es": arm("self-guided-es", learning_rate=0.0376, sigma=0.421),
        "past-guided-es": arm("past-guided-es", learning_rate=0.0482, sigma=0.299),
        "backprop": arm("backprop", learning_rate=0.000332, gain=0.302),
        "frozen": Arm(RECIPE, TASK, control=True),
    },
    seeds=range(10),
    budget=Budget(6, "seconds", steps=50),
    metrics=("accuracy", "loss"),
    control="frozen",
    against="local",
)
