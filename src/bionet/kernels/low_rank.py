"""Any program with a matrix `base + scale * left @ right.T` in it, run without forming that sum.

`run_low_rank(function, *arguments)` traces the function and walks through what it does. A
product `x @ W` becomes `x @ base + scale * (x @ left) @ right.T`; transposes, casts and scalar
factors move into the parts; loops, branches and calls are walked through too. Any other operation
gets the formed matrix, so the answer is always right, and at worst it is as slow as before.

Under `vmap` over `left`, `right` and `scale` the base has no batch, so that `x @ base` is computed
once for all members of a population, and memory grows by the two thin factors per member.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal, Var
from jaxtyping import Array, Float

Values = list[Any]


@final
@dataclass(frozen=True, eq=False)
class LowRank:
    """The matrix `base + scale * left @ right.T`; a leaf, so that no tree function parts it."""

    base: Float[Array, "m n"]
    left: Float[Array, "m r"]
    right: Float[Array, "n r"]
    scale: Float[Array, ""]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the matrix."""
        return self.base.shape

    @property
    def dtype(self) -> Any:
        """The dtype of the matrix."""
        return self.base.dtype

    def formed(self) -> Float[Array, "m n"]:
        """The matrix itself."""
        return self.base + (self.scale * _outer(self.left, self.right)).astype(self.dtype)


def _outer(left: Float[Array, "... r"], right: Float[Array, "k r"]) -> Float[Array, "... k"]:
    """`left @ right.T`; a rank of one is a plain multiplication, which compilers fuse."""
    if left.shape[-1] == 1:
        return left * right[:, 0]
    return jnp.matmul(left, right.T)


def run_low_rank(function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)`, where any leaf of the arguments may be a `LowRank`.

    Args:
        function: takes arrays where the arguments hold a `LowRank`, and returns arrays.
        arguments: pytrees whose leaves are arrays or of type `LowRank`.

    Returns:
        What the function would return, up to rounding.
    """
    leaves, structure = jax.tree.flatten(arguments)
    shapes = [jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves]
    traced, told = jax.make_jaxpr(
        lambda *flat: function(*jax.tree.unflatten(structure, flat)), return_shape=True
    )(*shapes)
    return jax.tree.unflatten(jax.tree.structure(told), _form(_walk(traced, leaves)))


def _walk(program: ClosedJaxpr, arguments: Sequence[Any]) -> Values:
    """The results of a traced program, of which some may be low-rank."""
    known: dict[Var, Any] = dict(zip(program.jaxpr.constvars, program.consts, strict=True))
    known |= zip(program.jaxpr.invars, arguments, strict=True)

    def value(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else known[atom]

    for equation in program.jaxpr.eqns:
        values = [value(atom) for atom in equation.invars]
        with equation.ctx.manager:
            results = _results(equation, values)
        known |= zip(equation.outvars, results, strict=True)
    return [value(atom) for atom in program.jaxpr.outvars]


def _results(equation: JaxprEqn, values: Values) -> Sequence[Any]:
    if any(isinstance(value, LowRank) for value in values):
        rule = RULES.get(equation.primitive.name)
        results = None if rule is None else rule(values, equation.params)
        if results is not None:
            return results
    found = equation.primitive.get_bind_params(equation.params)
    # Before JAX 0.10 functions among the parameters came apart from the others.
    functions, params = found if isinstance(found, tuple) else ((), found)
    results = equation.primitive.bind(*functions, *_form(values), **params)
    return results if equation.primitive.multiple_results else [results]


def _form(values: Sequence[Any]) -> list[Array]:
    return [value.formed() if isinstance(value, LowRank) else value for value in values]


# What can be done with the parts. A rule returns None where they are of no use.


def _dot_general(values: Values, params: dict[str, Any]) -> Values | None:
    contracted, (batch, _) = params["dimension_numbers"]
    if len(contracted[0]) != 1 or batch:
        return None
    first, second = values
    flipped = isinstance(first, LowRank)
    matrix, other = (first, second) if flipped else (second, first)
    (other,) = _form([other])  # of two low-rank matrices one stays so
    (axis,), (free,) = contracted if flipped else reversed(contracted)
    inward, outward = (matrix.left, matrix.right) if axis == 0 else (matrix.right, matrix.left)
    # The other side stands in front, whoever stood there: its rows stay rows all the way through.
    shared = _rows_by(other, free, matrix.base, axis, params, flipped)
    params = {**params, "preferred_element_type": shared.dtype}
    thin = _rows_by(other, free, inward.astype(matrix.dtype), 0, params, flipped)
    found = shared + _outer(matrix.scale.astype(thin.dtype) * thin, outward.astype(thin.dtype))
    return [jnp.moveaxis(found, -1, 0) if flipped else found]


def _rows_by(
    rows: Array, free: int, matrix: Array, axis: int, params: dict[str, Any], flipped: bool
) -> Array:
    """The product of rows and a matrix, as precise as the one that `params` describe."""
    precision = params["precision"]
    if flipped and isinstance(precision, tuple):  # one for each side
        precision = tuple(reversed(precision))
    return lax.dot_general(
        rows,
        matrix,
        (((free,), (axis,)), ((), ())),
        precision=precision,
        preferred_element_type=params["preferred_element_type"],
    )


def _transpose(values: Values, params: dict[str, Any]) -> Values:
    (matrix,) = values
    if tuple(params["permutation"]) == (0, 1):
        return [matrix]
    return [LowRank(matrix.base.T, matrix.right, matrix.left, matrix.scale)]


def _convert(values: Values, params: dict[str, Any]) -> Values | None:
    (matrix,), wanted = values, params["new_dtype"]
    if not jnp.issubdtype(wanted, jnp.floating):
        return None
    return [replace(matrix, base=matrix.base.astype(wanted))]


def _same(values: Values, params: dict[str, Any]) -> Values:
    return values


def _times(values: Values, params: dict[str, Any]) -> Values | None:
    factors = [value for value in values if jnp.shape(value) == ()]
    if len(factors) != 1:
        return None
    (matrix,) = [value for value in values if isinstance(value, LowRank)]
    return [replace(matrix, base=matrix.base * factors[0], scale=matrix.scale * factors[0])]


def _over(values: Values, params: dict[str, Any]) -> Values | None:
    matrix, divisor = values
    if jnp.shape(divisor) != ():
        return None
    return [replace(matrix, base=matrix.base / divisor, scale=matrix.scale / divisor)]


def _negate(values: Values, params: dict[str, Any]) -> Values:
    (matrix,) = values
    return [replace(matrix, base=-matrix.base, scale=-matrix.scale)]


# Programs inside of programs.


def _call(values: Values, params: dict[str, Any]) -> Values:
    inner = params["jaxpr"] if "jaxpr" in params else params["call_jaxpr"]
    return _walk(inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ()), values)


def _scan(values: Values, params: dict[str, Any]) -> Values:
    constants, carried = params["num_consts"], params["num_carry"]
    fixed, moving = values[:constants], _form(values[constants:])

    def body(carry: Values, xs: Values) -> tuple[Values, Values]:
        results = _form(_walk(params["jaxpr"], [*fixed, *carry, *xs]))
        return results[:carried], results[carried:]

    carry, told = lax.scan(
        body,
        moving[:carried],
        moving[carried:],
        length=params["length"],
        reverse=params["reverse"],
        unroll=params["unroll"],
    )
    return [*carry, *told]


def _while(values: Values, params: dict[str, Any]) -> Values:
    asked, done = params["cond_nconsts"], params["body_nconsts"]
    of_question, of_body = values[:asked], values[asked : asked + done]
    return lax.while_loop(
        lambda carry: _walk(params["cond_jaxpr"], [*of_question, *carry])[0],
        lambda carry: _form(_walk(params["body_jaxpr"], [*of_body, *carry])),
        _form(values[asked + done :]),
    )


def _cond(values: Values, params: dict[str, Any]) -> Values:
    index, *operands = values
    branches = [
        lambda branch=branch: _form(_walk(branch, operands)) for branch in params["branches"]
    ]
    platforms = params.get("branches_platforms")
    if platforms is None:
        return lax.switch(index, branches)
    named = zip(platforms, branches, strict=True)  # None stands for all other platforms
    return lax.platform_dependent(
        **{name: branch for names, branch in named for name in names or ("default",)}
    )


RULES: Mapping[str, Callable[[Values, dict[str, Any]], Values | None]] = {
    "dot_general": _dot_general,
    "transpose": _transpose,
    "convert_element_type": _convert,
    "copy": _same,
    "copy_p": _same,
    "optimization_barrier": _same,
    "mul": _times,
    "div": _over,
    "neg": _negate,
    "scan": _scan,
    "while": _while,
    "cond": _cond,
} | dict.fromkeys(
    (
        *("jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"),
        *("custom_jvp_call", "custom_vjp_call"),
    ),
    _call,
)
"""By the name of the primitive: what to do with values of which one at least is low-rank."""
