"""Random networks: every step finds a slot, after all that it waits for, whatever the mode."""

import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bionet.graph import BaseNode, ClippedNormal, Supergraph, Uniform, generate_graphs
from bionet.graph.schedule.partition import cut
from bionet.graph.schedule.supergraph import schedule
from bionet.graph.schedule.tabulate import make_timings
from bionet.graph.schedule.windows import apply_windows, to_networkx


class Quiet(BaseNode):
    """Sends zeros; only when it ticks and whom it hears matters here."""

    def init_output(self, rng=None, graph_state=None):
        return jnp.zeros(2)

    def step(self, step_state):
        return step_state, jnp.zeros(2)


DELAYS = [0.0, 0.01, Uniform(0.0, 0.02), Uniform(0.0, 0.3), ClippedNormal(0.05, 0.0125)]


@st.composite
def networks(draw):
    """2 to 6 nodes with any rates and delays; what goes back or in a ring skips or takes time."""
    count = draw(st.integers(2, 6))
    nodes = [
        Quiet(
            f"n{number}",
            draw(st.sampled_from([3, 5, 10, 20, 30])),
            delay=draw(st.sampled_from(DELAYS)),
            phase=draw(st.sampled_from([0.0, 0.0, 0.05])),
        )
        for number in draw(st.permutations(range(count)))
    ]
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    for number, (i, j) in enumerate(draw(st.lists(pairs, min_size=1, max_size=10))):
        forward = j < i
        nodes[i].connect(
            nodes[j],
            window=draw(st.integers(1, 4)),
            delay=draw(st.sampled_from(DELAYS)),
            skip=draw(st.booleans()) if forward else True,
            name=f"{nodes[j].name}-{number}",
        )
    return nodes


@st.composite
def episodes(draw):
    """A network, two episodes of it, and its windows."""
    nodes = draw(networks())
    graphs = generate_graphs(nodes, 1.5, rng=draw(st.integers(0, 9)), num_episodes=2)
    sizes = {(n.name, name): c.window for n in nodes for name, c in n.inputs.items()}
    return nodes, graphs, apply_windows(graphs, sizes)


def walk(tables, senders, episode):
    """Runs the tables by counting, and yields (kind, step, messages seen) as they come."""
    done = dict.fromkeys(tables.nodes, 0)
    for step in range(tables.num_steps):
        place = dict.fromkeys(tables.nodes, 0)
        generation, at_once, begun = -1, dict(done), dict(done)
        for kind, number in zip(tables.slots, tables.generation, strict=True):
            if number != generation:
                generation, at_once = number, dict(done)
            node, at = tables.nodes[kind], (episode, step, place[kind])
            place[kind] += 1
            if not node.run[at]:
                assert node.seq[at] == -1
                continue
            assert node.seq[at] == done[kind]
            for name, window in node.windows.items():
                sender = senders[kind, name]
                assert window.seq[at].max() < at_once.get(sender, 0)
                # The supervisor reads when all is in the buffers, the others what was before.
                count = (done if kind == tables.slots[-1] else begun).get(sender, 0)
                kept = window.seq[at][window.seq[at] >= 0]
                assert (count - kept <= tables.buffer_sizes.get(sender, 0)).all()
            done[kind] += 1
        assert done[tables.slots[-1]] == step + 1
    return done


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(Supergraph))
@pytest.mark.parametrize("prune", [True, False])
@settings(max_examples=10)
@given(case=episodes())
def test_every_step_runs_after_all_that_it_waits_for(mode, prune, case):
    nodes, graphs, windows = case
    boss = nodes[-1].name
    tables = make_timings(schedule(cut(graphs, boss, prune), mode), windows)
    for episode in range(2):
        done = walk(tables, graphs.senders, episode)
        last = (boss, tables.num_steps - 1)
        needed = nx.ancestors(to_networkx(windows, episode), last) | {last}
        ran = {(kind, seq) for kind, count in done.items() for seq in range(count)}
        assert needed <= ran
        assert not prune or needed == ran


@settings(max_examples=15)
@given(case=episodes(), prune=st.booleans())
def test_the_slots_are_few_and_in_an_order_for_every_edge(case, prune):
    nodes, graphs, _ = case
    cuts = cut(graphs, nodes[-1].name, prune)
    found = schedule(cuts)
    assert len(found) <= len(schedule(cuts, Supergraph.GENERATIONAL))
    assert len(found) <= len(schedule(cuts, Supergraph.TOPOLOGICAL))
    assert all(before < after for before, after in found.graph.edges)
    assert len(found) >= np.diff(cuts.counts, axis=1).max((0, 1)).sum()
    for slot in range(len(found) - 1):
        assert found.fits[:, slot].any()


@settings(max_examples=10)
@given(case=episodes())
def test_a_start_embeds_in_what_grows_out_of_it(case):
    nodes, graphs, _ = case
    cuts = cut(graphs, nodes[-1].name, prune=False)
    start = schedule(cuts).graph
    again = cut(generate_graphs(nodes, 1.5, rng=99, num_episodes=2), nodes[-1].name, prune=False)
    grown = schedule(again, S_init=start)
    place = {slot: slot for slot in start} | {len(start) - 1: len(grown) - 1}
    for slot in start:
        assert grown.graph.nodes[place[slot]]["kind"] == start.nodes[slot]["kind"]
    assert {(place[a], place[b]) for a, b in start.edges} <= set(grown.graph.edges)
