"""Digits: one number of the dynamics at a time; see ../README.md."""

from bionet.studies import Arm, Budget, Study

RECIPE = "classification-local"
VALUES = {
    "j_d": (0.0, 0.5, 3.0, 12.0),
    "strength_backward": (0.0, 0.5, 5.0, 20.0),
    "threshold_in": (0.0, 0.5, 3.0, 10.0),
    "threshold_recurrent": (0.0, 0.5, 3.0, 10.0),
    "threshold_out": (0.0, 1.5, 15.0, 60.0),
    "clamped": (0, 1, 2, 20),
    "free": (0, 1, 2, 20),
}


def slug(field: str, value: float) -> str:
    """The name of the arm in which one field has another value."""
    return f"{field}-{value:g}".replace("_", "-").replace(".", "-")


STUDY = Study(
    name="dynamics-ablation-digits",
    question=(
        "What do self-coupling, backward strength, margins and number of steps do to the accuracy "
        "of a network that learns by its own settling? Digits."
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
