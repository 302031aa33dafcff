"""Draws the figures of the pages on asynchronous networks.

    python docs/extensions/draw_graphs.py

Each is made by `plot_graph`, or by what it is made of, from a small network that is built here.
Nothing is compiled, so that all of it takes a few seconds. The same figures come out each time,
as far as the version of matplotlib is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import matplotlib
from matplotlib.figure import Figure

from bionet.graph import BaseNode, ClippedNormal, Graph, generate_graphs
from bionet.plotting.graph_figure import draw_episode, draw_key, number_steps
from bionet.plotting.learning_curve import plot_graph
from bionet.plotting.timeline import episode_of, span_of

DOCS = Path(__file__).parents[1]
WHITE = {"facecolor": "white", "linewidth": 0, "pad": 1.0}
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "bionet",
    "svg.fonttype": "none",  # letters stay letters
    "font.sans-serif": ["DejaVu Sans"],
}


class Quiet(BaseNode):
    """Only when it ticks and whom it hears matters here."""

    def init_output(self, rng=None, graph_state=None):
        return jnp.zeros(())

    def step(self, step_state):
        return step_state, jnp.zeros(())


def two_nodes() -> Figure:
    """An eye at 50 Hz and a hand at 20 Hz, as the tutorial begins."""
    eye, hand = Quiet("eye", 50, delay=0.004), Quiet("hand", 20, delay=0.01)
    hand.connect(eye, window=2, delay=0.003)
    graph = compiled([eye, hand], "hand", 1.0)
    return plot_graph(graph, span=(-0.006, 0.216))


def pipeline() -> Figure:
    """The network of four nodes, with delays that vary."""
    rates = {"sensor": 50, "hidden": 20, "agent": 10, "actuator": 50}
    nodes = {
        name: Quiet(name, rate, delay=ClippedNormal(0.2 / rate, 0.05 / rate))
        for name, rate in rates.items()
    }
    for sender, receiver in zip(rates, [*list(rates)[1:], "sensor"], strict=True):
        delay = ClippedNormal(0.004, 0.001)
        nodes[receiver].connect(nodes[sender], window=2, delay=delay)
    graph = compiled(list(nodes.values()), "agent", 10.0, episodes=10)
    return plot_graph(graph, rows=list(rates), span=(-0.006, 0.222))


def windows() -> Figure:
    """Windows of two messages, of a receiver that is slower and of one that is faster."""
    eye = Quiet("eye", 25, delay=0.006)
    slow, fast = Quiet("slow", 10, delay=0.012), Quiet("fast", 50, delay=0.004)
    for node in (slow, fast):
        node.connect(eye, window=2, delay=0.01)
    return with_windows([fast, eye, slow], 0.225)


def ties() -> Figure:
    """Messages that arrive exactly when steps start, with and without skip."""
    eye = Quiet("eye", 20, delay=0.01)
    hand, late = Quiet("skip=False", 20, delay=0.008), Quiet("skip=True", 20, delay=0.008)
    hand.connect(eye, delay=0.04)
    late.connect(eye, delay=0.04, skip=True)
    return with_windows([hand, eye, late], 0.222)


def prune() -> Figure:
    """What is run of one episode: pruned, not pruned, and with a node left out."""
    nodes = [Quiet("eye", 20, delay=0.008), Quiet("brain", 10, delay=0.02)]
    nodes += [Quiet("hand", 20, delay=0.008), Quiet("lamp", 20, delay=0.008)]
    eye, brain, hand, lamp = nodes
    for sender, receiver in ((eye, brain), (brain, hand), (hand, eye), (hand, lamp)):
        receiver.connect(sender, delay=0.006)
    raw = generate_graphs(nodes, 0.3)
    cases = {
        "prune=True": Graph(nodes, "brain", raw, progress_bar=False),
        "prune=False": Graph(nodes, "brain", raw, prune=False, progress_bar=False),
        'skip="hand"': Graph(nodes, "brain", raw, skip="hand", progress_bar=False),
    }
    figure = Figure(figsize=(7.0, 6.6), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    drawn = []
    for ax, (title, graph) in zip(axes, cases.items(), strict=True):
        episode = episode_of(graph, 0, ["eye", "brain", "hand", "lamp"])
        drawn.append((ax, episode, span_of(episode, (-0.01, 0.3))))
        draw_episode(*drawn[-1])
        ax.set_title(title, fontsize=9.5, family="monospace", pad=14)
    for ax in axes[:-1]:
        ax.set_xlabel("")
    draw_key(figure, axes[0], *drawn[0][1:])
    figure.draw_without_rendering()
    for ax, episode, span in drawn:
        number_steps(ax, episode, span, "seq")
    return figure


def compiled(nodes: list[BaseNode], supervisor: str, seconds: float, episodes: int = 1) -> Graph:
    """A graph of generated episodes."""
    raw = generate_graphs(nodes, seconds, num_episodes=episodes)
    return Graph(nodes, supervisor, raw, progress_bar=False)


def with_windows(nodes: list[BaseNode], until: float) -> Figure:
    """What a node hears, and by each step of those above and below it, which messages it sees."""
    raw = generate_graphs(nodes, 1.0)
    graph = Graph(nodes, nodes[-1], raw, prune=False, progress_bar=False)
    rows = [node.name for node in nodes]
    figure = plot_graph(graph, span=(-0.008, until), rows=rows, supergraph=False)
    for name, height in ((rows[0], 0.36), (rows[-1], -2.36)):
        vertex = raw[0].vertices[name]
        middles = (vertex.ts_start + vertex.ts_end) / 2000
        for middle, seen in zip(middles, graph.graphs.windows[name, "eye"].seq[0], strict=True):
            if middle < 1000 * until - 5:
                place, said = (middle, height), ", ".join(map(str, seen)).replace("-", "−")
                ax = figure.axes[0]
                ax.annotate(said, place, ha="center", va="center", fontsize=6.5, bbox=WHITE)
    return figure


FIGURES: dict[str, Callable[[], Figure]] = {
    "tutorials/two-nodes.svg": two_nodes,
    "tutorials/pipeline.svg": pipeline,
    "how-to/windows.svg": windows,
    "how-to/ties.svg": ties,
    "how-to/prune.svg": prune,
}


def tidied(svg: str) -> str:
    """The same picture in fewer letters: a hundredth of a point is fine enough."""
    svg = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", svg)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'style="[^"]*"', lambda style: re.sub(r"(?<=[:;,]) ", "", style[0]), svg)
    return re.sub(r"\n\s+", "\n", svg)


def save(name: str, folder: Path) -> Path:
    """Draws one of the figures into a folder and returns where it is."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        FIGURES[name]().savefig(path, metadata={"Date": None})
    path.write_text(tidied(path.read_text("utf-8")), "utf-8")
    return path


if __name__ == "__main__":
    for name in FIGURES:
        print(save(name, DOCS))
