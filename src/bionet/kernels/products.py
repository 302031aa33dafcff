"""Matrix products whose operands may be narrower than their result, or are very few.

Units in {-1, +1} are exact in bfloat16, so a product with them loses nothing on their
side; what is lost is what the weights lose when they are narrowed for the product. The
weights that learn stay as they are, and so does the sum: it is accumulated, and comes
back, in the weights' own dtype.
"""

from __future__ import annotations

import functools
import operator
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bionet._core.names import unknown

Operands = Literal["weights", "bfloat16", "bfloat16x3", "fastest"]
OPERANDS: tuple[str, ...] = get_args(Operands)


def check_operands(owner: str, operands: Operands) -> Operands:
    """`operands`, or a ValueError with the nearest of the known words."""
    if operands not in OPERANDS:
        raise ValueError(f"{owner}: {unknown('kind of operands', operands, OPERANDS)}")
    return operands


def product(
    x: Float[Array, "n d"], W: Float[Array, "d k"], operands: Operands = "weights"
) -> Float[Array, "n k"]:
    """`x @ W`, in the dtype of `W`, with the operands that are asked for.

    Args:
        x: the left side; exact in bfloat16 if it holds -1, 0 and +1.
        W: the right side.
        operands: "weights" multiplies the numbers as they are. "bfloat16" narrows both
            sides, which keeps 8 bits of each weight. "bfloat16x3" narrows `x` and splits
            `W` into three bfloat16 parts, 24 bits in all, so that for a binary `x` the
            result differs from the full product by the order of the sum alone. "fastest"
            is "bfloat16" where the device has a unit for it, and "weights" on a CPU, which
            has none: there, "bfloat16" rounds the operands and multiplies them in full, so
            that the numbers can be studied anywhere.
    """
    if operands == "weights":
        return x @ W
    if operands == "bfloat16":
        return jax.lax.platform_dependent(x, W, cpu=_round_product, default=_narrow_product)
    if operands == "bfloat16x3":
        return functools.reduce(operator.add, (product(x, part, "bfloat16") for part in _split(W)))
    return jax.lax.platform_dependent(x, W, cpu=jnp.matmul, default=_narrow_product)


def _narrow_product(x: Array, W: Array) -> Array:
    wide = jnp.promote_types(W.dtype, jnp.float32)
    narrow = (x.astype(jnp.bfloat16), W.astype(jnp.bfloat16))
    return jax.lax.dot(*narrow, preferred_element_type=wide).astype(W.dtype)


def _round_product(x: Array, W: Array) -> Array:
    """The same numbers where there is no unit for narrow ones: rounded, multiplied in full."""
    return _round(x) @ _round(W)


def _split(W: Array) -> tuple[Array, ...]:
    """Three parts that are exact in bfloat16 and sum up to `W`, the smallest first."""
    high = _round(W)
    middle = _round(W - high)
    return W - high - middle, middle, high


def _round(W: Array) -> Array:
    """`W` rounded to bfloat16, by a step that no compiler takes for superfluous."""
    return jax.lax.reduce_precision(W, exponent_bits=8, mantissa_bits=7)


FEW = 8  # inputs; measured on a CPU, with populations of 64 and 1,024


def few_by_many(x: Float[Array, "*batch d"], W: Float[Array, "d k"]) -> Float[Array, "*batch k"]:
    """`x @ W`, multiplied out for up to `FEW` inputs.

    That becomes one loop with whatever stands before and behind it. A product is a call of its
    own, and under `vmap` over the members of a population a call for each of them, which takes
    longer than multiplying so few numbers does.
    """
    if len(W) > FEW:
        return x @ W
    if len(W) > FEW // 2:
        x = jax.lax.optimization_barrier(x)  # or all that made x is done again for each term
    return functools.reduce(operator.add, (x[..., i, None] * W[i] for i in range(len(W))))
