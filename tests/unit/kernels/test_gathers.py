"""Products with a sparse matrix: the same numbers in blocks, at once and as a dense matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.kernels import gathers
from bionet.kernels.gathers import (
    block_size,
    gather_outer,
    gather_product,
    outer_at_once,
    outer_by_blocks,
    product_at_once,
    product_by_blocks,
)

# Samples with and without a remainder of sixteen, rows with and without one of a block.
SIZES = [(1, 7, 3), (21, 48, 5), (32, 37, 2)]
COLUMNS = 29


@pytest.fixture(params=SIZES, ids=str)
def drawn(request):
    """x, indices, values and y, all whole numbers, so that every sum is exact."""
    samples, rows, entries = request.param
    rng = np.random.default_rng(samples)
    indices = np.argsort(rng.random((rows, COLUMNS)), axis=1)[:, :entries]
    shapes = (samples, COLUMNS), (rows, entries), (samples, rows)
    x, values, y = (rng.integers(-9, 10, shape).astype(np.float32) for shape in shapes)
    return x, indices.astype(np.int32), values, y


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of sixteen rows, so that small arrays have several, and a remainder."""
    monkeypatch.setattr(gathers, "_NUMBERS", 1)


def dense(indices, values):
    A = np.zeros((len(indices), COLUMNS))
    np.put_along_axis(A, indices, values, axis=1)
    return A


@pytest.mark.slow
@pytest.mark.parametrize("product", [product_by_blocks, product_at_once, gather_product])
def test_the_product_is_that_with_the_dense_matrix(drawn, small_blocks, product):
    x, indices, values, _ = drawn
    found = jax.jit(product)(x, indices, values)
    assert np.array_equal(found, x.astype(float) @ dense(indices, values).T)


@pytest.mark.slow
@pytest.mark.parametrize("outer", [outer_by_blocks, outer_at_once, gather_outer])
def test_the_outer_product_is_the_dense_one_where_there_are_entries(drawn, small_blocks, outer):
    x, indices, _, y = drawn
    found = jax.jit(outer)(x, indices, y)
    whole = y.astype(float).T @ x
    assert np.array_equal(found, np.take_along_axis(whole, indices, axis=1))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_halves_are_gathered_and_summed_up_in_single_precision(dtype):
    x, values = jnp.ones((40, 300), dtype), jnp.ones((1, 300), dtype)
    indices, y = jnp.arange(300)[None], jnp.ones((40, 1), dtype)
    for run, other, total in ((gather_product, values, 300), (gather_outer, y, 40)):
        found = run(x, indices, other)
        assert found.dtype == dtype
        assert np.array_equal(found, np.full(found.shape, total))
        program = jax.export.export(run, platforms=["cpu"])(x, indices, other).mlir_module()
        lines = [line for line in program.splitlines() if "gather" in line or "dot_general" in line]
        assert any("xf32>" in line for line in lines)
        assert not any("bf16>" in line or "f16>" in line for line in lines)


def test_double_precision_stays():
    with jax.enable_x64(True):
        third = jnp.asarray([[1 / 3]])
        assert third.dtype == "float64"
        indices = jnp.zeros((1, 1), jnp.int32)
        assert gather_product(third, indices, third).item() == 1 / 9
        assert gather_outer(third, indices, third).item() == 1 / 9


def test_what_is_gathered_never_exists_as_a_whole():
    samples, rows, entries = 64, 4000, 50
    gathered = 4 * samples * rows * entries  # 51 MB
    x, y = (jax.ShapeDtypeStruct((samples, rows), "float32") for _ in range(2))
    indices = jax.ShapeDtypeStruct((rows, entries), "int32")
    values = jax.ShapeDtypeStruct((rows, entries), "float32")
    for run, other in ((gather_product, values), (gather_outer, y)):
        memory = run.lower(x, indices, other).compile().memory_analysis()
        assert memory.temp_size_in_bytes < gathered / 8


@pytest.mark.parametrize("run", [gather_product, gather_outer])
def test_a_cpu_gets_blocks_and_other_devices_one_expression(run):
    arrays = [jax.ShapeDtypeStruct((2000, 2000), kind) for kind in ("float32", "int32", "float32")]
    for platform, loops in (("cpu", True), ("cuda", False)):
        program = jax.export.export(run, platforms=[platform])(*arrays).mlir_module()
        assert ("stablehlo.while" in program) == loops


@pytest.mark.slow
@pytest.mark.parametrize("drawn", SIZES[1:2], indirect=True)
def test_it_can_be_differentiated_and_mapped(drawn, small_blocks):
    x, indices, values, y = drawn

    def both(x, values):
        return (y * gather_product(x, indices, values)).sum()

    of_x, of_values = jax.jit(jax.grad(both, argnums=(0, 1)))(x, values)
    assert np.array_equal(of_x, y @ dense(indices, values))
    assert np.array_equal(of_values, gather_outer(x, indices, y))
    twice = jax.jit(jax.vmap(gather_product))(*(np.stack([a, a]) for a in (x, indices, values)))
    assert np.array_equal(twice[1], gather_product(x, indices, values))


@pytest.mark.parametrize(
    ("rows", "entries", "samples", "size"),
    [
        (2000, 20, 16, 200),  # 204 would fit, 200 leaves no remainder
        (2003, 20, 16, 204),  # a prime number has one anyway
        (30, 20, 16, 30),  # all fit
        (2000, 2000, 16, 16),  # never fewer than sixteen
        (7, 2000, 16, 7),
    ],
)
def test_a_block_fits_the_cache_and_divides_the_rows_if_it_can(rows, entries, samples, size):
    assert block_size(rows, entries, samples) == size
