import subprocess
import sys

import pytest

from bionet.studies import Arm, Budget, Choice, LogUniform, Study, Tuning, Uniform, Whole

ARM = Arm("prototypes-local")
RATE = {"learning_rate": LogUniform(1e-4, 1e-1)}


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda: Budget(0), ValueError, "the amount needs to be above 0, got 0."),
        (lambda: Budget(float("nan")), ValueError, "the amount needs to be above 0, got nan."),
        (lambda: Budget(1.5), ValueError, "epochs come in whole numbers, got 1.5."),
        (lambda: Budget(1, "second"), ValueError, "Did you mean 'seconds'"),
        (lambda: Budget(1, steps=0), ValueError, "steps needs 1 or more, got 0."),
        (lambda: Arm("x", options={"a": 1}), ValueError, "options belong to a method"),
        (lambda: Arm("x", method="es", control=True), ValueError, "leave the method 'es' out"),
        (lambda: Uniform(1, 1), ValueError, "low < high, got 1 and 1."),
        (lambda: Uniform(0, float("inf")), ValueError, "finite ends"),
        (lambda: LogUniform(0, 1), ValueError, "a lower end above 0, got 0."),
        (lambda: Whole(1.0, 2), TypeError, "whole numbers, got 1.0."),
        (lambda: Whole(0, 2, log=True), ValueError, "above 0, got 0."),
        (lambda: Choice(1), ValueError, "two or more different values, got (1,)."),
        (lambda: Choice(1, 1), ValueError, "two or more different values"),
        (lambda: Choice(1, [2]), TypeError, "got [2] of type list."),
        (lambda: Tuning(0, {}), ValueError, "trials needs 1 or more, got 0."),
        (lambda: Tuning(1, {"a": {"b": 3}}), TypeError, "'b' of arm 'a' needs a Uniform"),
    ],
)
def test_a_part_that_makes_no_sense_is_refused(make, error, told):
    with pytest.raises(error) as caught:
        make()
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"name": "My study"}, ValueError, "kebab case"),
        ({"question": " "}, ValueError, "needs a question in words"),
        ({"arms": {}}, ValueError, "needs arms"),
        ({"arms": {"a b": ARM}}, ValueError, "the name of an arm needs to be in kebab case"),
        ({"arms": {"a": "x"}}, TypeError, "arm 'a' needs an Arm, got str."),
        ({"seeds": 5}, TypeError, "as in range(5), got 5."),
        ({"seeds": ()}, ValueError, "one seed at least and none twice"),
        ({"seeds": (1, 1)}, ValueError, "one seed at least and none twice"),
        ({"seeds": (-1,)}, TypeError, "a whole number from 0 on, got -1."),
        ({"seeds": (True,)}, TypeError, "a whole number from 0 on, got True."),
        ({"control": "narow"}, ValueError, "control: No arm is named 'narow'. Did you mean"),
        ({"against": "x"}, ValueError, "against: No arm is named 'x'."),
        ({"tuning": Tuning(1, {"narow": RATE})}, ValueError, "Did you mean 'narrow'?"),
        ({"tuning": Tuning(1, {"narrow": RATE})}, ValueError, "wide has no space to tune in."),
        (
            {"tuning": Tuning(1, {"narrow": RATE, "wide": RATE}, seed=1)},
            ValueError,
            "seed 1 is one of the study's own",
        ),
        (
            {"arms": {"c": Arm("x", control=True)}, "tuning": Tuning(1, {"c": RATE})},
            ValueError,
            "arm 'c' is a frozen control; leave it out.",
        ),
    ],
)
def test_a_study_that_makes_no_sense_is_refused(study, changes, error, told):
    with pytest.raises(error) as caught:
        study(**changes)
    assert told in str(caught.value)
    assert "small" in str(caught.value) or "name" in changes


def test_seeds_may_be_a_range_and_a_frozen_control_is_not_tuned(study):
    arms = {"local": ARM, "frozen": Arm("prototypes-local", control=True)}
    made = study(arms=arms, seeds=range(3), tuning=Tuning(4, {"local": RATE}))
    assert made.seeds == (0, 1, 2)
    assert made.tuned == ("local",)


def test_a_report_needs_two_seeds(study):
    study(seeds=(0, 1)).check_seeds()
    with pytest.raises(ValueError, match="has 1 seed, and a report needs 2 or more"):
        study(seeds=(3,)).check_seeds()


def test_declaring_a_study_loads_no_jax():
    code = (
        "import sys; from bionet.studies import Study, Arm, Budget; "
        "import bionet.studies.run.local, bionet.studies.design.trial; "
        "sys.exit('jax' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_parts_are_public():
    import bionet.studies

    assert bionet.studies.Standing is bionet.studies.Status
    assert bionet.studies.standing_of is bionet.studies.read_status

    assert all(getattr(bionet.studies, name) for name in bionet.studies.__all__)
    assert bionet.studies.Study is Study
    with pytest.raises(
        AttributeError,
        match="No attribute of bionet.studies is named 'Studie'. Did you mean 'Study'",
    ):
        bionet.studies.Studie  # noqa: B018
