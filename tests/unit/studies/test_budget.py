import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet import zoo
from bionet.studies import Budget
from bionet.studies.design.budget import (
    ENDLESS,
    Pace,
    ShortEpochs,
    batch_examples,
    beside,
    cut_budget,
    evaluations_per_step,
)
from bionet.training import ArrayBatches, Examples, GeneratedBatches


@pytest.fixture
def batches():
    """Ten batches of four examples."""
    return ArrayBatches(Examples(np.arange(40.0).reshape(40, 1), np.zeros((40, 1))), 4)


@pytest.mark.parametrize(
    ("budget", "evaluations", "pace"),
    [
        (Budget(3), 1, Pace(3, 10, 3)),
        (Budget(3), 257, Pace(3, 10, 3)),
        (Budget(2, steps=5), 1, Pace(4, 5, 2)),
        (Budget(2, steps=50), 1, Pace(2, 10, 2)),
        (Budget(40, "examples"), 1, Pace(1, 10, 1)),
        (Budget(41, "examples"), 1, Pace(2, 6, 1)),
        (Budget(100, "evaluations"), 1, Pace(10, 10, 10)),
        (Budget(101, "evaluations"), 1, Pace(11, 10, 10)),
        (Budget(105, "evaluations"), 5, Pace(3, 7, 2)),
        (Budget(100, "evaluations"), 64, Pace(1, 2, 1)),
        (Budget(1, "evaluations"), 64, Pace(1, 1, 1)),
        (Budget(0.5, "seconds"), 64, Pace(ENDLESS, 10, 0)),
        (Budget(9, "seconds", steps=2), 64, Pace(ENDLESS, 2, 0)),
    ],
)
def test_a_budget_becomes_even_epochs(batches, budget, evaluations, pace):
    assert cut_budget(budget, batches, 4, evaluations) == pace


@pytest.mark.parametrize("amount", [1, 7, 99, 100, 1001])
def test_a_budget_is_used_up_and_overdrawn_by_less_than_a_step_per_epoch(batches, amount):
    pace = cut_budget(Budget(amount, "evaluations"), batches, 4, 3)
    steps = pace.epochs * pace.steps
    assert amount <= 3 * steps < amount + 3 * pace.epochs + 3


@pytest.mark.slow
def test_short_epochs_order_all_the_data_anew(batches):
    short = ShortEpochs(batches, 3)
    assert (short.num_batches, batch_examples(short)) == (3, 4)
    seen = set()
    for seed in range(8):
        plan = short.plan(jax.random.key(seed))
        for index in range(3):
            x, _ = short.batch(plan, jnp.asarray(index))
            whole, _ = batches.batch(plan, jnp.asarray(index))
            assert (x == whole).all()
            seen |= {float(value) for value in x[:, 0]}
    assert len(seen) > 30


def test_a_batch_is_counted_whatever_its_source():
    generated = GeneratedBatches(lambda key: (jax.random.normal(key, (6, 2)), jnp.zeros(6)), 2)
    assert batch_examples(generated) == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "options", "count"),
    [
        (None, {}, 1),  # a local rule with its phases
        ("backprop", {}, 1),
        ("frozen", {}, 1),
        ("es", {"population": 6}, 6),
        ("lowrank-es", {"population": 8}, 8),
        ("random-search", {"population": 5}, 5),
        ("local-es", {"num_samples": 3}, 2 * 3 + 1),
    ],
)
def test_evaluations_are_passes_of_a_network_over_a_batch(method, options, count):
    recipe = zoo.get("prototypes-local").replace(hidden=4, samples=16, classes=2, dim=6)
    recipe = recipe if method is None else recipe.with_method(method, **options)
    problem = recipe.problem(0)
    made = recipe.build_method()
    assert evaluations_per_step(made, problem.model, problem.train) == count
    assert beside(made) == (0 if made.spec.family == "zeroth-order" else 1)
