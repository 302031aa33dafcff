"""`plot_graph`: what is on the picture is what the graph says, and nothing overlaps."""

import subprocess
import sys
from itertools import pairwise

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from bionet.graph import (
    BaseNode,
    ComputationGraph,
    Edge,
    Graph,
    Supergraph,
    Uniform,
    Vertex,
    generate_graphs,
)
from bionet.plotting.learning_curve import plot_graph
from bionet.plotting.supergraph_figure import APART, _free_line
from bionet.plotting.timeline import MOST_STEPS, episode_of, span_of

pytestmark = pytest.mark.slow

RAW = ComputationGraph(
    {"eye": Vertex([0, 1, 2], [0, 50, 100], [10, 60, 110]), "hand": Vertex([0], [70], [80])},
    {("hand", "eye"): Edge([0, 1, 2], [0, 0, -1], [15, 65, 120])},
)


class Quiet(BaseNode):
    def init_output(self, rng=None, graph_state=None):
        return jnp.zeros(())

    def step(self, step_state):
        return step_state, jnp.zeros(())


def wired(*wires, **rates):
    nodes = {n: Quiet(n, rate, delay=Uniform(0.002, 0.008)) for n, rate in rates.items()}
    for sender, receiver in wires:
        nodes[receiver].connect(nodes[sender], window=2, delay=Uniform(0.001, 0.01))
    return list(nodes.values())


@pytest.fixture(scope="module")
def nodes():
    loop = ["sensor", "hidden", "agent", "actuator", "sensor"]
    return wired(*pairwise(loop), sensor=50, hidden=20, agent=10, actuator=50)


@pytest.fixture(scope="module")
def graph(nodes):
    raw = generate_graphs(nodes, 0.75, rng=0, num_episodes=2)
    return Graph(nodes, "agent", raw, progress_bar=False)


@pytest.fixture(scope="module")
def figure(graph):
    found = plot_graph(graph, title="a title")
    found.draw_without_rendering()
    return found


def names(ax):
    return [label.get_text().partition("\n")[0] for label in ax.get_yticklabels()]


def said(ax):
    return [text.get_text() for text in ax.texts]


def boxes(ax):
    """The boxes of each row, from top to bottom: those that run, then the pale ones."""
    counts = [len(collection.get_paths()) for collection in ax.collections]
    return list(zip(counts[::2], counts[1::2], strict=True))


def key(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_a_row_per_node_and_a_box_per_step(figure, graph):
    timeline, slots = figure.axes
    # Messages go down, and the loop is opened behind the supervisor.
    assert names(timeline) == names(slots) == ["actuator", "sensor", "hidden", "agent"]
    low, high = timeline.get_xlim()
    for (runs, pale), name in zip(boxes(timeline), names(timeline), strict=True):
        vertex = graph.graphs_raw[0].vertices[name]
        assert pale == 0
        assert runs == ((vertex.ts_end >= 1e3 * low) & (vertex.ts_start <= 1e3 * high)).sum()
    assert figure.get_suptitle() == "a title"
    assert timeline.get_xlabel() == "time (ms)"
    assert "the supervisor's step" in key(figure)


def test_the_first_steps_of_the_supervisor_are_shown_and_counted(figure):
    texts = said(figure.axes[0])
    assert texts[:5] == ["0", "1", "2", "3", "agent's step"]
    assert 310 < figure.axes[0].get_xlim()[1] < 340


def test_the_slots_stand_in_their_generations(figure, graph):
    slots = figure.axes[1]
    assert said(slots) == [str(slot) for slot in graph.S]
    at = [
        (text.get_position()[0], names(slots)[-round(text.get_position()[1])])
        for text in slots.texts
    ]
    assert at == [(told["generation"], told["kind"]) for _, told in graph.S.nodes(data=True)]
    count = len(graph.S)
    assert slots.get_title(loc="left").startswith(f"Supergraph: {count} slots in ")
    lines = [line for line in slots.lines if np.size(line.get_xdata()) > 1]
    assert len(lines) == graph.S.number_of_edges()


def test_no_number_lies_on_another_or_on_a_box(figure):
    for ax in figure.axes:
        places = [text.get_window_extent() for text in ax.texts if text.get_text().isdigit()]
        assert len(places) > 10
        for at, place in enumerate(places):
            assert not any(place.overlaps(other) for other in places[at + 1 :])
    timeline = figure.axes[0]
    edges = [
        path.get_extents(timeline.transData)
        for boxes in timeline.collections
        for path in boxes.get_paths()
    ]
    grey = [
        text.get_window_extent()
        for text in timeline.texts
        if text.get_horizontalalignment() == "right"
    ]
    assert not any(number.overlaps(box) for number in grey for box in edges)


def test_numbers_for_which_there_is_no_room_are_left_out(graph):
    figure = plot_graph(graph, span=(0.0, 0.7), rows=["sensor", "actuator"], supergraph=False)
    figure.draw_without_rendering()
    numbers = [
        text.get_window_extent()
        for text in figure.axes[0].texts
        if text.get_horizontalalignment() == "right"
    ]
    boxes = [
        path.get_extents(figure.axes[0].transData)
        for collection in figure.axes[0].collections
        for path in collection.get_paths()
    ]
    assert 10 < len(numbers) < len(boxes) - 5
    assert not any(number.overlaps(box) for number in numbers for box in boxes)


def test_steps_know_their_slots(graph):
    kinds = np.array(graph.timings.slots)
    for episode in range(2):
        for row in episode_of(graph, episode).rows:
            table = graph.timings.nodes[row.name].seq[episode]
            for seq, slot in enumerate(row.slot):
                places = np.flatnonzero((table == seq).any(0))
                assert row.runs[seq] == len(places)
                assert [slot] == np.flatnonzero(kinds == row.name)[places].tolist() or slot == -1


def test_everything_lies_on_the_page(figure):
    page = figure.bbox.padded(1)
    for artist in (*figure.legends, *figure.axes[0].texts, *figure.axes[0].get_yticklabels()):
        extent = artist.get_window_extent()
        assert page.x0 <= extent.x0
        assert extent.x1 <= page.x1


def test_what_the_supervisor_does_not_need_is_pale(graph, nodes):
    figure = plot_graph(graph, span=(0.5, 0.75), rows=["sensor", "agent"])
    (runs, pale), (ticks, none) = boxes(figure.axes[0])
    assert (ticks, none) == (3, 0)
    assert runs > 0
    assert pale > 0
    assert "not run" in key(figure)
    every = Graph(nodes, "agent", graph.graphs_raw, prune=False, progress_bar=False)
    pruned, kept = (episode_of(each, 0, ["sensor"]).rows[0].runs for each in (graph, every))
    assert kept.sum() > pruned.sum()


def test_a_skipped_node_is_pale_and_has_no_slot(graph, nodes):
    without = Graph(nodes, "agent", graph.graphs_raw, skip="actuator", progress_bar=False)
    figure = plot_graph(without)
    assert names(figure.axes[0]) == ["actuator", "sensor", "hidden", "agent"]
    assert names(figure.axes[1]) == ["sensor", "hidden", "agent"]
    assert boxes(figure.axes[0])[0][0] == 0
    heard = {m.sender: m.read.any() for m in episode_of(without, 0).messages}
    assert heard == {"actuator": False, "agent": False, "hidden": True, "sensor": True}


def test_messages_are_read_if_they_are_in_a_window(graph):
    episode = episode_of(graph, 1)
    assert episode.number == 1
    (messages,) = (m for m in episode.messages if m.receiver == "hidden")
    seen = graph.graphs.windows["hidden", "sensor"].seq[1]
    runs = next(row for row in episode.rows if row.name == "hidden").runs
    read = set(seen[: len(runs)][runs].ravel().tolist()) - {-1}
    assert set(np.flatnonzero(messages.read).tolist()) == read
    edge = graph.graphs_raw[1].edges["hidden", "sensor"]
    starts = graph.graphs_raw[1].vertices["hidden"].ts_start
    first = np.where(edge.seq_in < 0, -1, starts[edge.seq_in])
    np.testing.assert_array_equal(messages.seen, first)
    assert 0 < messages.read.sum() < len(messages.read)


def test_the_lines_of_messages_are_where_they_are(graph):
    rows = ["hidden", "agent"]
    figure = plot_graph(graph, rows=rows, supergraph=False)
    (ax,) = figure.axes
    (messages,) = episode_of(graph, 0, rows).messages
    (chain,) = (
        line for line in ax.lines if np.size(line.get_xdata()) > 9 and line.is_dashed() is False
    )
    x = np.asarray(chain.get_xdata()).reshape(-1, 5)[0]
    first = np.flatnonzero(messages.read)[0]
    seen = messages.seen[first]
    expected = np.array([messages.sent[first], messages.arrives[first], seen, seen]) / 1e3
    np.testing.assert_allclose(x[:4], expected)
    y = np.asarray(chain.get_ydata())[:4]
    assert 0 > y[0] > y[1] == y[2] > y[3] > -1  # down to the rail, along it, and to the box


def test_numbers_of_slots(graph):
    figure = plot_graph(graph, label="slot", rows=["agent", "hidden"])
    last = str(len(graph.S) - 1)
    assert said(figure.axes[0])[5:9] == [last] * 4
    with pytest.raises(ValueError, match=r"label needs 'seq' or 'slot', got 'slots'"):
        plot_graph(graph, label="slots")  # pyright: ignore[reportArgumentType]


def test_a_raw_graph_has_no_supervisor(graph):
    figure = plot_graph([RAW, RAW], episode=-1, span=(0, 150e-6))
    (ax,) = figure.axes
    assert names(ax) == ["eye", "hand"]
    assert key(figure) == ["a step", "a message: on its way, waiting", "never seen"]
    episode = episode_of(RAW, 0)
    assert episode.supervisor is None
    assert episode.messages[0].read.tolist() == [True, True, False]
    loop = [row.name for row in episode_of(graph.graphs_raw, 0).rows]
    assert loop == ["actuator", "sensor", "hidden", "agent"]


def test_uniform_modes_and_many_slots_are_drawn(graph, nodes):
    each = Graph(
        nodes, "agent", graph.graphs_raw, supergraph=Supergraph.TOPOLOGICAL, progress_bar=False
    )
    assert len(plot_graph(each).axes[1].texts) == len(each.S) > 30


@pytest.mark.parametrize(
    ("wires", "order"),
    [
        (["ab", "bc"], ["a", "b", "c"]),
        (["cb", "ba"], ["c", "b", "a"]),
        (["ab", "ba", "bc"], ["b", "a", "c"]),  # a is the supervisor
        (["ca", "ab", "bb"], ["c", "a", "b"]),
    ],
)
def test_the_order_of_rows(wires, order):
    nodes = wired(*(tuple(wire) for wire in wires if wire[0] != wire[1]), a=10, b=20, c=20)
    for first, second in wires:
        if first == second:
            node = next(n for n in nodes if n.name == first)
            node.connect(node, skip=True, name="self")
    raw = generate_graphs(nodes, 0.2)
    assert [row.name for row in episode_of(raw, 0).rows] == order


def test_the_span_by_itself_is_no_larger_than_can_be_read():
    nodes = wired(("fast", "slow"), fast=1000, slow=10)
    episode = episode_of(Graph(nodes, "slow", generate_graphs(nodes, 1.0)), 0)
    span = span_of(episode, None)
    assert 0 < episode.steps_in(span) <= MOST_STEPS
    assert span_of(episode, (0.2, 0.9)) == (200_000, 900_000)


def test_a_line_bows_around_the_slots_between():
    start, end = np.array([0.0, 0.0]), np.array([60.0, 0.0])
    straight = _free_line(start, end, np.stack([start, end]))
    assert np.abs(straight[:, 1]).max() == 0
    between = np.array([30.0, 0.0])
    bowed = _free_line(start, end, np.stack([start, between, end]))
    assert np.hypot(*(bowed - between).T).min() > APART
    np.testing.assert_allclose(bowed[[0, -1]], [start, end], atol=1e-9)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_it_is_saved_whole(tmp_path, suffix):
    path = tmp_path / "deep" / f"graph.{suffix}"
    assert isinstance(plot_graph(RAW, path=path), Figure)
    begins = {"png": b"\x89PNG", "svg": b"<?xml"}[suffix]
    assert path.read_bytes().startswith(begins)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_refusals(graph):
    with pytest.raises(TypeError, match=r"needs a bionet.graph.Graph, or the ComputationGraphs"):
        plot_graph({"eye": 1})  # pyright: ignore[reportArgumentType]
    with pytest.raises(IndexError, match=r"The graph has episodes 0 to 1, but not 2"):
        plot_graph(graph, episode=2)
    with pytest.raises(ValueError, match=r"A picture cannot be saved as 'graph.jepg'"):
        plot_graph(graph, path="graph.jepg")
    with pytest.raises(ValueError, match=r"rows: No node is named 'hiden'. Did you mean 'hidden'"):
        plot_graph(graph, rows=["hiden"])
    for rows in ([], ["agent", "agent"]):
        with pytest.raises(ValueError, match=r"rows needs each name once, and one at least"):
            plot_graph(graph, rows=rows)


@pytest.mark.parametrize("span", [(0.2, 0.2), (0.3, 0.1), (0.0, float("inf")), (float("nan"), 1.0)])
def test_an_empty_span_is_refused(graph, span):
    with pytest.raises(ValueError, match=r"span needs two times in seconds, the first before"):
        plot_graph(graph, span=span)


def test_a_span_in_which_nothing_takes_place_is_refused(graph):
    with pytest.raises(
        ValueError, match=r"nothing takes place from 5 to 6 s; episode 1 ends at 0\.7"
    ):
        plot_graph(graph, span=(5, 6), episode=1)


def test_what_is_heavy_is_imported_when_it_is_used():
    script = (
        "import sys; from bionet.plotting.learning_curve import plot_graph; "
        "assert not {'jax', 'matplotlib', 'networkx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
