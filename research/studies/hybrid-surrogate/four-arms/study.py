"""Five spiking units, every arm 60,000 evaluations; see ../README.md."""

from bionet.studies import Arm, Budget, LogUniform, Study, Tuning

RECIPE = "classification-rsnn"
TASK = {"classes": 3, "hidden": 5, "motif": 5, "pause": 2, "samples": 10_000}
RATE = {"learning_rate": LogUniform(1e-3, 3e-2)}
SIGMA = {"sigma": LogUniform(0.01, 0.3)}


def arm(method: str, **options: object) -> Arm:
    """One and the same spiking network, trained by a method with plain Adam."""
    return Arm(RECIPE, TASK, method, options)


def corrected(**options: object) -> Arm:
    """The surrogate gradient with a correction out of four antithetic pairs."""
    return arm("surrogate-es", num_samples=4, **options)


STUDY = Study(
    name="hybrid-surrogate-four-arms",
    question=(
        "Does a correction by evolution pay for itself when the bulk direction is a surrogate "
        "gradient? Spike motifs with five units, at equal loss evaluations."
    ),
    arms={
        "surrogate": arm("surrogate"),
        "surrogate-schedule": Arm(RECIPE, TASK),
        "es": arm("es", population=32),
        "surrogate-es-raw": corrected(normalize=False),
        "surrogate-es-normalised": corrected(),
        "surrogate-es-snr": corrected(snr=True),
        "self-guided-es": arm("self-guided-es", num_samples=4),
        "frozen": Arm(RECIPE, TASK, control=True),
    },
    seeds=range(10),
    budget=Budget(60_000, "evaluations", steps=200),
    tuning=Tuning(
        trials=8,
        spaces={
            "surrogate": RATE,
            "surrogate-schedule": RATE,
            "es": {"learning_rate": LogUniform(3e-3, 0.3), "sigma": LogUniform(0.02, 0.5)},
            "surrogate-es-raw": RATE | SIGMA | {"lam": LogUniform(0.003, 1.0)},
            "surrogate-es-normalised": RATE | SIGMA | {"lam": LogUniform(0.03, 3.0)},
            "surrogate-es-snr": RATE | SIGMA | {"lam": LogUniform(0.1, 10.0)},
            "self-guided-es": RATE | SIGMA | {"lam": LogUniform(0.03, 1.0)},
        },
    ),
    metrics=("accuracy", "loss"),
    control="frozen",
    against="surrogate",
)
