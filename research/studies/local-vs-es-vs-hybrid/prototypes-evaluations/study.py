"""Noisy prototypes, every arm 20,000 evaluations; see ../README.md."""

from bionet.studies import Arm, Budget, LogUniform, Study, Tuning, Uniform

RECIPE = "prototypes-local"
TASK = {"hidden": 32, "batch_size": 64, "clamped": 5, "free": 5}
LOCAL = {"learning_rate": LogUniform(3e-4, 3e-2)}
EVOLUTION = {"learning_rate": LogUniform(3e-3, 0.3), "sigma": LogUniform(0.02, 0.5)}
CORRECTION = {"sigma": LogUniform(0.02, 0.5)}


def arm(method: str | None = None, **options: object) -> Arm:
    """One and the same binary network, trained by a method."""
    return Arm(RECIPE, TASK, method, options)


STUDY = Study(
    name="local-vs-es-vs-hybrid-prototypes-evaluations",
    question=(
        "Does a correction by evolution pay for itself when the bulk direction is a local rule? "
        "Noisy prototypes, at equal loss evaluations."
    ),
    arms={
        "local": arm(),
        "es": arm("es"),
        "lowrank-es": arm("lowrank-es", population=64),
        "local-es-raw": arm("local-es", normalize=False),
        "local-es-normalised": arm("local-es"),
        "self-guided-es": arm("self-guided-es"),
        "past-guided-es": arm("past-guided-es"),
        "backprop": arm("backprop"),
        "frozen": Arm(RECIPE, TASK, control=True),
    },
    seeds=range(10),
    budget=Budget(20_000, "evaluations", steps=200),
    tuning=Tuning(
        trials=8,
        spaces={
            "local": LOCAL | {"threshold_in": Uniform(1.0, 6.0)},
            "es": EVOLUTION,
            "lowrank-es": EVOLUTION,
            "local-es-raw": LOCAL | CORRECTION | {"lam": LogUniform(0.1, 30.0)},
            "local-es-normalised": LOCAL | CORRECTION | {"lam": LogUniform(0.1, 3.0)},
            "self-guided-es": EVOLUTION,
            "past-guided-es": EVOLUTION | {"sigma": LogUniform(0.02, 5.0)},
            "backprop": {"learning_rate": LogUniform(3e-4, 3e-2), "gain": LogUniform(0.3, 3.0)},
        },
    ),
    metrics=("accuracy", "loss"),
    control="frozen",
    against="local",
)
