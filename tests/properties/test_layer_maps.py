"""Layer maps of any wiring: what goes in comes out, in order, and a tree goes around whole."""

import copy

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bionet.layer_maps.senders import SENDERS, is_selected
from bionet.layer_maps.sparse import LayerMap
from bionet.modules.input_output import OutputLayer


@st.composite
def wirings(draw):
    """The edges of a map: rows out of 1 to 4, each with itself and any senders, in disorder."""
    rows = draw(st.sets(st.integers(1, 4), min_size=1))
    last = max(rows)
    edges = {(i, i) for i in rows}
    for i in rows:
        edges |= {(i, j) for j in draw(st.sets(st.integers(0, last)))}
    return draw(st.permutations(sorted(edges)))


@pytest.fixture(scope="module")
def build(dense):
    """A layer map with these edges, its dicts filled in their order."""
    adapter = dense(np.ones((2, 2)))

    def make(edges):
        rows = {}
        for i, j in edges:
            rows.setdefault(i, {})[j] = OutputLayer() if i == j else copy.deepcopy(adapter)
        return LayerMap.from_dict(rows)

    return make


@given(edges=wirings())
def test_the_edges_are_those_that_went_in_and_sorted(build, edges):
    lmap = build(edges)
    assert [edge for edge, _ in lmap.edge_items()] == sorted(edges)
    assert lmap.rows() == tuple(sorted({i for i, _ in edges}))
    assert lmap.last == max(lmap.rows())
    assert len(lmap) == len(edges)
    for i in range(-1, 6):
        assert (i in lmap) == (i in lmap.rows())
        for j in range(-1, 6):
            assert ((i, j) in lmap) == ((i, j) in edges)
    for i in lmap.rows():
        assert lmap.cols_of(i) == tuple(lmap[i]) == tuple(sorted(j for k, j in edges if k == i))


@given(edges=wirings(), data=st.data())
def test_the_order_of_the_dicts_does_not_matter(build, edges, data):
    shuffled = data.draw(st.permutations(edges))
    assert jax.tree.structure(build(edges)) == jax.tree.structure(build(shuffled))


@given(edges=wirings(), others=wirings())
def test_two_structures_are_the_same_where_the_wirings_are(build, edges, others):
    same = jax.tree.structure(build(edges)) == jax.tree.structure(build(others))
    assert same == (set(edges) == set(others))


@given(edges=wirings())
def test_round_trips(build, edges, same_bits):
    lmap = build(edges)
    leaves, structure = jax.tree.flatten(lmap)
    same_bits(jax.tree.unflatten(structure, leaves), lmap)
    same_bits(LayerMap.from_dict(lmap.to_dict()), lmap)
    same_bits(lmap.map_edges(lambda _, module: module), lmap)
    assert len(leaves) == 3 * sum(i != j for i, j in edges)


@given(edges=wirings(), senders=st.sampled_from(SENDERS), skip_last=st.booleans())
def test_row_items_are_the_selected_senders(build, edges, senders, skip_last):
    lmap = build(edges)
    found = {i: tuple(row) for i, row in lmap.row_items(skip_last=skip_last, senders=senders)}
    assert tuple(found) == (lmap.rows()[:-1] if skip_last else lmap.rows())
    for i, heard in found.items():
        assert i in heard
        assert heard == tuple(j for j in lmap.cols_of(i) if is_selected(senders, i, j, lmap.last))


@given(edges=wirings(), data=st.data())
def test_a_map_without_one_of_its_diagonals_is_refused(build, edges, data):
    lost = data.draw(st.sampled_from(sorted({i for i, _ in edges})))
    kept = [edge for edge in edges if edge != (lost, lost)]
    rows = build(edges).to_dict()
    del rows[lost][lost]
    with pytest.raises(ValueError, match=rf"edge \({lost}, {lost}\) is missing"):
        LayerMap.from_dict(rows)
    partial = LayerMap.from_dict(rows, require_diagonal=False)
    assert [edge for edge, _ in partial.edge_items()] == sorted(kept)
