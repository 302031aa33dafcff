"""One convention for all modules that learn by margins: a tie counts as an error.

A module with `<` where the others have `<=` would hold a unit that lies exactly at its threshold,
and all the others would move it. Here every one of them stands at exact ties.
"""

import jax
import numpy as np

from bionet.modules.interfaces import AbstractModule

# A step over the threshold that is small, and exact in single precision.
STEP = 2.0**-10


def margin_of(module):
    """The threshold that a module's rule asks for; None if it does not learn by margins."""
    if not module.trained():
        return None
    inner = getattr(module, "inner", None)
    return (
        margin_of(inner)
        if isinstance(inner, AbstractModule)
        else getattr(module, "threshold", None)
    )


def test_a_tie_teaches_as_much_as_any_error_and_a_hair_above_it_nothing(bound):
    threshold = margin_of(bound.module)
    if threshold is None:
        return
    _, module, x, y, _ = bound
    wrong, tied, above = (
        module.increments(x, y, y * (threshold + offset)) for offset in (-1.0, 0.0, STEP)
    )
    for name, increment in tied.items():
        for at, under, over in zip(
            *map(_leaves, (increment, wrong[name], above[name])), strict=True
        ):
            assert np.array_equal(at, under)
            assert not over.any()
        assert any(leaf.any() for leaf in _leaves(increment))


def _leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]
