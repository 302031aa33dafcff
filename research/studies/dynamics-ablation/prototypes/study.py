"""Noisy prototypes: one number of the dynamics at a time; see ../README.md."""

from bionet.studies import Arm, Budget, Study

RECIPE = "prototypes-local"
VALUES = {
    "j_d": (0.0, 0.25, 1.5, 8.0),
    "strength_backward": (0.0, 0.1, 1.0, 5.0),
    "threshold_in": (0.0, 1.0, 10.0, 50.0),
    "threshold_recurrent": (0.0, 1.5, 3.0, 10.0),
    "threshold_out": (0.0, 1.0, 10.0, 50.0),
    "clamped": (0, 1, 3, 40),
    "free": (0, 1, 3, 40),
}


def slug(field: str, value: float) -> str:
    """The name of the arm in which one field has another value."""
    return f"{field}-{value:g}".replace("_", "-").replace(".", "-")


STUDY = Study(
    name="dynamics-ablation-prototypes",
    question=(
        "What do self-coupling, backward strength, margins and number of steps do to the accuracy "
        "of a network that learns by its own settling? Noisy prototypes."
    ),
    arms={
        "default": Arm(RECIPE),
        **{
            slug(field, value): Arm(RECIPE, {field: value})
            for field, values in VALUES.items()
            for value in values
        },
        "frozen": Arm(RECIPE, control=True),
    },
    seeds=range(5),
    budget=Budget(10, "epochs"),
    metrics=("accuracy", "loss"),
    control="frozen",
    against="default",
)
