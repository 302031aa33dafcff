"""Wiring that is given: windows of an image, indices of one's own, couplings of any strength."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bionet.modules.fan_in import draw_windows
from bionet.modules.sparse import SparseFullyConnected, SparseRecurrentDiscrete

KEY = jax.random.key(0)
# Three units and five senders.
WIRING = np.array([[0, 4], [2, 1], [3, 0]])


@pytest.fixture(scope="module")
def drawn():
    """500 units, each with 6 pixels of a 3 x 4 window of an image of 7 x 5."""
    return np.asarray(draw_windows(KEY, 500, image=(7, 5), window=(3, 4), fan_in=6))


class TestWindows:
    @pytest.mark.slow
    def test_distinct_and_ascending(self, drawn):
        assert drawn.shape == (500, 6)
        assert (np.diff(drawn, axis=1) > 0).all()
        assert drawn.min() >= 0
        assert drawn.max() < 35

    def test_each_lies_in_one_window(self, drawn):
        rows, columns = np.divmod(drawn, 5)
        assert np.ptp(rows, axis=1).max() == 2
        assert np.ptp(columns, axis=1).max() == 3

    def test_every_pixel_is_seen_and_every_place_taken(self, drawn):
        assert set(drawn.ravel()) == set(range(35))
        # With 6 of 12 pixels nearly every window shows its top row and its left column.
        corners = {(row.min() // 5, (row % 5).min()) for row in drawn}
        assert corners >= {(top, left) for top in range(5) for left in range(2)}

    @pytest.mark.slow
    def test_a_window_as_large_as_the_image_is_the_whole_of_it(self):
        full = draw_windows(KEY, 3, image=(2, 3), window=(2, 3), fan_in=6)
        assert np.array_equal(full, np.tile(np.arange(6), (3, 1)))

    def test_the_published_size(self):
        shape = jax.eval_shape(lambda: draw_windows(KEY, 2000)).shape
        assert shape == (2000, 78)

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"units": 0}, "draw_windows: units needs a positive int, got 0."),
            (
                {"window": (3, 6)},
                "draw_windows: window needs to fit into the image of 7 x 5 pixels, got 3 x 6.",
            ),
            ({"window": (0, 3)}, "draw_windows: window needs a positive int, got 0."),
            ({"image": (7.5, 5)}, "draw_windows: image needs a positive int, got 7.5."),
            ({"fan_in": 13}, "draw_windows: fan_in needs at most 12, the number of units that"),
            ({"fan_in": 0}, "draw_windows: fan_in needs a positive int, got 0."),
        ],
    )
    def test_bad_arguments(self, says, change, sentence):
        good = {"units": 4, "image": (7, 5), "window": (3, 4), "fan_in": 6}
        with says(ValueError, sentence):
            draw_windows(KEY, **{**good, **change})


class TestGivenIndices:
    @pytest.mark.slow
    def test_they_are_the_wiring(self):
        edge = SparseFullyConnected(5, 3, 1.0, 0.5, KEY, indices=WIRING)
        assert np.array_equal(edge.indices, WIRING)
        assert (edge.fan_in, edge.W.shape) == (2, (3, 2))
        dense = np.asarray(edge.to_dense())
        wired = np.zeros((5, 3), bool)
        wired[WIRING, np.arange(3)[:, None]] = True
        assert np.array_equal(dense != 0, wired)
        x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
        np.testing.assert_allclose(edge(jnp.asarray(x)), x @ dense, rtol=1e-5, atol=1e-6)

    def test_the_weights_do_not_depend_on_who_is_wired(self):
        given = SparseFullyConnected(5, 3, 1.3, 0.5, KEY, indices=WIRING)
        drawn = SparseFullyConnected(5, 3, 1.3, 0.5, KEY, fan_in=2)
        assert np.array_equal(given.W, drawn.W)

    def test_they_may_be_traced(self):
        make = lambda indices: SparseFullyConnected(5, 3, 1.0, 0.5, KEY, indices=indices)  # noqa: E731
        shape = eqx.filter_eval_shape(make, jnp.asarray(WIRING))
        assert shape.W.shape == (3, 2)

    @pytest.mark.parametrize(
        ("indices", "sentence"),
        [
            (WIRING[:2], "indices needs whole numbers of shape (3, fan_in), a row of senders for"),
            (WIRING[0], "indices needs whole numbers of shape (3, fan_in)"),
            (WIRING * 1.0, "got shape (3, 2) and dtype float32."),
            (WIRING + 1, "indices needs numbers from 0 to 4, got 1 to 5."),
            (WIRING - 1, "indices needs numbers from 0 to 4, got -1 to 3."),
            ([[0, 4], [2, 2], [3, 0]], "indices needs each sender once per unit, but unit 1 has"),
        ],
    )
    def test_bad_ones(self, says, indices, sentence):
        with says(ValueError, sentence):
            SparseFullyConnected(5, 3, 1.0, 0.5, KEY, indices=indices)

    def test_a_fan_in_beside_them(self, says):
        sentence = (
            "SparseFullyConnected: indices say how many connections there are, so fan_in and "
            "sparsity need to be None, got fan_in=2 and sparsity=None."
        )
        with says(ValueError, sentence):
            SparseFullyConnected(5, 3, 1.0, 0.5, KEY, indices=WIRING, fan_in=2)


class TestRecurrentStrength:
    @pytest.mark.slow
    def test_it_scales_the_couplings_and_nothing_else(self):
        one, other = (
            SparseRecurrentDiscrete(9, 0.5, 1.0, KEY, fan_in=4, strength=strength)
            for strength in (1.0, 2.5)
        )
        np.testing.assert_allclose(other.J, 2.5 * one.J, rtol=1e-6)
        assert np.array_equal(other.j_d, one.j_d)
        assert np.array_equal(one.J, SparseRecurrentDiscrete(9, 0.5, 1.0, KEY, fan_in=4).J)

    @pytest.mark.slow
    def test_couplings_that_start_at_nothing_learn(self):
        layer = SparseRecurrentDiscrete(9, 0.0, 1.0, KEY, fan_in=4, strength=0.0)
        x = jnp.sign(jax.random.normal(KEY, (6, 9)))
        assert not layer(x).any()
        assert layer.increments(x, x, jnp.zeros_like(x))["J"].any()

    def test_one_value_per_unit(self):
        strength = np.arange(9.0)
        graded = SparseRecurrentDiscrete(9, 0.0, 1.0, KEY, fan_in=4, strength=strength)
        plain = SparseRecurrentDiscrete(9, 0.0, 1.0, KEY, fan_in=4)
        np.testing.assert_allclose(graded.J, strength[:, None] * plain.J, rtol=1e-6)

    @pytest.mark.slow
    def test_another_shape(self, says):
        sentence = "SparseRecurrentDiscrete: strength needs a scalar or one value per"
        with says(ValueError, sentence):
            SparseRecurrentDiscrete(9, 0.0, 1.0, KEY, fan_in=4, strength=[1.0, 2.0])
