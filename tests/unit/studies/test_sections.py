from bionet.studies.report import sections
from bionet.studies.report.arm_results import ArmResults
from bionet.studies.report.sections import Task


def arm(name, per_epoch, values, seeds=(0, 1), metric="accuracy"):
    """An arm whose epochs cost so many evaluations each, all seeds alike but for a little."""
    lines = [
        {
            "seed": seed,
            "metric": metric,
            "metrics": {metric: values[-1] + 0.01 * seed},
            "evaluations": per_epoch * len(values),
            "curve": [
                {"epoch": n, "evaluations": per_epoch * n, metric: value + 0.01 * seed}
                for n, value in enumerate(values, 1)
            ],
        }
        for seed in seeds
    ]
    return ArmResults(name, tuple(lines))


def task(*arms, metric="accuracy", control=None, against=None):
    return Task("digits", (metric,), arms, control, against)


def cells(text, name):
    (found,) = (line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
    return [cell.strip() for cell in found.strip("| ").split("|")][1:]


def test_at_equal_cost_the_cheapest_arm_sets_the_cost():
    text = sections.equal_costs(task(arm("es", 60, [0.3, 0.5]), arm("local", 30, [0.7, 0.8, 0.9])))
    assert "| 90 evaluations |" in text
    assert cells(text, "es") == ["30.50 [30.00, 31.00]"]
    assert cells(text, "local") == ["90.50 [90.00, 91.00]"]


def test_an_arm_whose_first_epoch_costs_more_has_no_value_there():
    dear = arm("dear", 100, [0.5])
    text = sections.equal_costs(task(dear, arm("cheap", 30, [0.7, 0.8])))
    assert cells(text, "dear") == ["no epoch ended yet"]
    partly = ArmResults("partly", (*arm("", 30, [0.6, 0.7], (0, 1)).lines, *dear.lines[:1]))
    text = sections.equal_costs(task(partly, arm("cheap", 30, [0.7, 0.8])))
    assert cells(text, "partly") == ["no epoch ended yet"]  # two seeds do not speak for three
    assert sections.equal_costs(task(dear)) == ""


def test_arms_without_common_seeds_are_not_paired():
    arms = arm("local", 1, [0.9], seeds=(0, 1)), arm("es", 1, [0.8], seeds=(1, 2))
    text = sections.differences(task(*arms), "es")
    assert cells(text, "local")[0] == "fewer than two seeds in common"
    assert sections.differences(task(*arms), "nobody") == ""
    assert sections.differences(task(arms[0]), "local") == ""


def test_a_loss_is_better_where_it_is_lower():
    arms = arm("a", 1, [0.4, 0.2], metric="loss"), arm("b", 1, [0.8, 0.6], metric="loss")
    found = task(*arms, metric="loss")
    text = sections.differences(found, "b")
    assert cells(text, "a") == ["-0.4 [-0.4, -0.4]", "2 of 2", "ahead"]
    assert sections.task_front(found, "evaluations") == ["a"]
    assert "no other has at most its mean for at most its cost" in sections.costs(found)
    reach = sections.reaching(found, (0.3,))
    assert "| 0.3 | `a` | 2 of 2 | 2 |" in reach
    assert "| 0.3 | `b` | 0 of 2 | never |" in reach


def test_what_was_not_measured_is_told():
    text = sections.costs(task(arm("a", 1, [0.9]), arm("b", 1, [0.8])))
    assert cells(text, "a") == ["1", *["not measured"] * 4, "evaluations"]
    timed = arm("timed", 1, [0.5, 0.9]).lines
    timed = [{**line, "curve": [{"seconds": 2.0, "accuracy": 0.9}]} for line in timed]
    reach = sections.reaching(task(arm("a", 1, [0.9]), ArmResults("timed", tuple(timed))), (0.8,))
    assert "| 80.00 | `timed` | 2 of 2 | not measured | 2 |" in reach
    assert "| 80.00 | `a` | 2 of 2 | 1 | not measured |" in reach
    bare = ArmResults("c", tuple({**line, "curve": []} for line in arm("c", 1, [0.5]).lines))
    assert sections.reaching(task(bare)) == ""
    assert sections.equal_costs(task(bare, bare)) == ""
