"""Every classification method on MNIST: 400,000 trained weights, a minute each.

See ../README.md.
"""

from typing import Any

from bionet.studies import Arm, Budget, LogUniform, Study, Tuning, Uniform

SECONDS = 60  # of training in each reported trial
TUNING_SECONDS = 15  # of training in each try
SEEDS = range(5)
SPEED = 1.0  # of a core; with 1.0 it does the passes below in a minute

STEPS = 100  # between two looks at the validation data
SPLIT = {"batch_size": 64, "validation": 2000}
NETWORK = {"hidden": 350} | SPLIT  # 401,110 weights feed-forward, 400,050 recurrent
SHALLOW = {"hidden": 504, "depth": 1} | SPLIT  # 400,690
SPARSE = {"hidden": 3390} | SPLIT  # 400,020
PAIRS = 4  # of evaluations, for each step of a method that evolution corrects

RATE = LogUniform(3e-4, 3e-2)
LOWER_RATE = LogUniform(3e-5, 3e-2)  # where the best of eight tries in RATE was at its lower end
FEEDBACK = {"learning_rate": LogUniform(3e-4, 1e-2), "strength": LogUniform(0.1, 3.0)}
EVOLUTION = {"learning_rate": LogUniform(1e-3, 3e-2), "sigma": LogUniform(5e-3, 0.1)}
LOCAL = {"rate_in": LogUniform(0.02, 0.5), "rate_out": LogUniform(0.03, 1.0)}
CORRECTION = {"lam": LogUniform(0.05, 2.0), "sigma": LogUniform(0.01, 0.2)}


def own(recipe: str, fields: dict[str, Any], passes: float) -> Arm:
    """A recipe's own method, whose rate falls to zero over the passes that it has time for."""
    epochs = max(round(passes * SPEED * SECONDS / 60), 1)
    return Arm(f"classification-{recipe}", fields | {"epochs": epochs})


def shallow(method: str, **options: Any) -> Arm:
    """A method at a constant rate, on the feed-forward network of low-rank evolution."""
    return Arm("classification-lowrank-es", SHALLOW, method, options)


def binary(method: str, **options: Any) -> Arm:
    """A method at a constant rate, on the binary recurrent network of the two-phase rule."""
    return Arm("classification-local", NETWORK, method, options)


def frozen(recipe: str, fields: dict[str, Any]) -> Arm:
    """The hidden layers of a network at their random start."""
    return Arm(f"classification-{recipe}", fields, control=True)


STUDY = Study(
    name="methods-on-images-mnist",
    question=(
        "What does each classification method reach on MNIST with 400,000 trained weights in a "
        "minute on one core?"
    ),
    arms={
        "backprop": own("backprop", NETWORK, 12),
        "feedback-alignment": own("feedback-alignment", NETWORK, 12),
        "dfa": own("dfa", NETWORK, 12),
        "two-phase": own("local", NETWORK, 10),
        "error-phase": own("local-sparse", SPARSE, 2),
        "contrastive": binary("contrastive"),
        "surrogate": binary("surrogate"),
        "smooth-twin": binary("backprop"),
        "lowrank-es": own("lowrank-es", SHALLOW | {"population": 128}, 4),
        "es": shallow("es", population=16),
        "random-search": shallow("random-search", population=16),
        "local-es": own("hybrid", NETWORK | {"pairs": PAIRS}, 1),
        "surrogate-es": binary("surrogate-es", num_samples=PAIRS),
        "self-guided-es": binary("self-guided-es", num_samples=PAIRS, normalize=True),
        "frozen-relu": frozen("backprop", NETWORK),
        "frozen-tanh": frozen("dfa", NETWORK),
        "frozen-shallow": frozen("lowrank-es", SHALLOW),
        "frozen-binary": frozen("local", NETWORK),
        "frozen-sparse": frozen("local-sparse", SPARSE),
    },
    seeds=SEEDS,
    budget=Budget(SECONDS, "seconds", steps=STEPS),
    dataset="mnist",
    tuning=Tuning(
        trials=8,
        budget=Budget(TUNING_SECONDS, "seconds", steps=STEPS),
        spaces={
            "backprop": {"learning_rate": LogUniform(3e-4, 1e-2)},
            "feedback-alignment": FEEDBACK,
            "dfa": FEEDBACK | {"strength": LogUniform(0.01, 3.0)},
            "two-phase": LOCAL | {"threshold_in": Uniform(0.5, 4.0)},
            "error-phase": {"rate_in": LogUniform(0.1, 1.5), "rate_out": LogUniform(0.3, 10.0)},
            "contrastive": {"learning_rate": LOWER_RATE, "threshold_in": Uniform(0.5, 4.0)},
            "surrogate": {"learning_rate": LOWER_RATE, "slope": LogUniform(0.03, 10.0)},
            "smooth-twin": {"learning_rate": LOWER_RATE, "gain": LogUniform(0.3, 3.0)},
            "lowrank-es": {
                "learning_rate": LogUniform(1e-4, 3e-2),
                "sigma": LogUniform(5e-4, 0.1),
            },
            "es": EVOLUTION,
            "random-search": {"sigma": LogUniform(1e-3, 0.1)},
            "local-es": LOCAL | {"rate_in": LogUniform(0.002, 0.5), "lam": LogUniform(0.05, 2.0)},
            "surrogate-es": {"learning_rate": RATE} | CORRECTION,
            "self-guided-es": {
                "learning_rate": RATE,
                "lam": LogUniform(0.05, 20.0),
                "sigma": LogUniform(0.01, 2.0),
            },
        },
    ),
    metrics=("accuracy", "loss"),
    control="frozen-relu",
    against="backprop",
)
