"""Drawing of a directed graph in layers: boxes in ranks, arrows one way, few crossings; deterministic."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import networkx as nx
from matplotlib.axes import Axes

SWEEPS = 24
PULL = 0.8  # of a node to its neighbours
GAPS = (1.0, 0.7, 0.3)  # in a rank: between two nodes, a node and a passing edge, two passing edges
GREY, DARK = "#8a8a8a", "#222222"
Place = tuple[float, float]


def condensed(graph: nx.DiGraph) -> nx.DiGraph:
    """The graph without cycles, each a node `a + b`, and without edges that follow from others."""
    cores = sorted(nx.strongly_connected_components(graph), key=min)
    names = {node: " + ".join(sorted(core)) for core in cores for node in core}
    found = nx.DiGraph()
    found.add_nodes_from(sorted(set(names.values())))
    found.add_edges_from(sorted({(names[a], names[b]) for a, b in graph.edges if names[a] != names[b]}))
    reduced = nx.DiGraph()
    reduced.add_nodes_from(found)
    reduced.add_edges_from(sorted(nx.transitive_reduction(found).edges))
    return reduced


def places(graph: nx.DiGraph) -> tuple[dict, dict]:
    """The rank of each node and its place within the rank; long edges pass through nodes `(a, b, rank)`."""
    rank = dict.fromkeys(graph, 0)
    for node in nx.topological_sort(graph):
        for following in graph.successors(node):
            rank[following] = max(rank[following], rank[node] + 1)
    for node in reversed(list(nx.topological_sort(graph))):  # close to what it leads to
        if after := [rank[following] for following in graph.successors(node)]:
            rank[node] = max(rank[node], min(after) - 1) if graph.in_degree(node) == 0 else rank[node]
    links: list[tuple] = []
    for a, b in graph.edges:
        chain = [a, *((a, b, level) for level in range(rank[a] + 1, rank[b])), b]
        rank |= {node: node[2] for node in chain[1:-1]}
        links += pairwise(chain)
    beside: dict = {node: [] for node in rank}
    for a, b in links:
        beside[a].append(b)
        beside[b].append(a)
    rows = [[node for node in rank if rank[node] == level] for level in range(max(rank.values()) + 1)]
    place = {node: float(index) for row in rows for index, node in enumerate(row)}
    for sweep in range(SWEEPS):
        for level in range(len(rows)) if sweep % 2 == 0 else reversed(range(len(rows))):
            toward = level - 1 if sweep % 2 == 0 else level + 1
            near = {node: [place[other] for other in beside[node] if rank[other] == toward] for node in rows[level]}
            rows[level].sort(key=lambda node: sum(near[node]) / len(near[node]) if near[node] else place[node])
            place |= {node: float(index) for index, node in enumerate(rows[level])}
    return rank, _spread(rows, beside)


def _spread(rows: list[list], beside: dict) -> dict:
    """Places within the ranks: near the neighbours, in the order given."""
    place = {node: float(index) - len(row) / 2 for row in rows for index, node in enumerate(row)}
    for _ in range(200):
        for row in rows:
            wanted = [
                PULL * sum(place[other] for other in beside[node]) / max(len(beside[node]), 1)  # and to the middle
                for node in row
            ]
            least = list(wanted)
            for index in range(1, len(row)):
                gap = GAPS[isinstance(row[index], tuple) + isinstance(row[index - 1], tuple)]
                least[index] = max(least[index], least[index - 1] + gap)
            shift = (sum(wanted) - sum(least)) / len(row)
            place |= {node: least[index] + shift for index, node in enumerate(row)}
    return place


def _draw_edge(axes: Axes, points: list[Place], down: bool) -> None:
    """Draw a smooth curve through points, with an arrow's head at its end."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    sign = -1 if down else 1
    codes, corners = [Curve.MOVETO], [points[0]]
    for start, end in pairwise(points):
        bend = 0.5 * sign * (abs(end[1] - start[1]) if down else abs(end[0] - start[0]))
        middle = (
            [(start[0], start[1] + bend), (end[0], end[1] - bend)]
            if down
            else [(start[0] + bend, start[1]), (end[0] - bend, end[1])]
        )
        codes += [Curve.CURVE4] * 3
        corners += [*middle, end]
    axes.add_patch(PathPatch(Curve(corners, codes), fill=False, edgecolor=GREY, linewidth=1.1))
    head = {"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 0, "lw": 0}
    axes.annotate("", points[-1], corners[-2], arrowprops=head)


def draw(
    graph: nx.DiGraph, path: Path, *, down: bool = False, colours: Mapping[str, str] | None = None, inches: float = 10.0
) -> None:
    """Draw the graph into a PNG, from left to right or downwards."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    graph = condensed(graph)
    rank, place = places(graph)
    low, high = min(place.values()), max(place.values())
    deep = max(rank.values())
    across, along = high - low + 1.2, deep + 1
    size = (inches, 0.85 * along + 0.2) if down else (inches, 0.42 * across + 0.3)
    figure, axes = plt.subplots(figsize=size, dpi=100)
    axes.set_axis_off()
    figure.subplots_adjust(0, 0, 1, 1)

    def at(node) -> Place:
        return (place[node], -rank[node]) if down else (rank[node], -place[node])

    axes.set_xlim(*((low - 0.6, high + 0.6) if down else (-0.55, deep + 0.55)))
    axes.set_ylim(*((-deep - 0.5, 0.5) if down else (-high - 0.7, -low + 0.7)))
    unit = 100 * inches / (deep + 1.1)  # pixels of a rank, from left to right

    def half(node: str) -> Place:
        return (0.0, 0.2) if down else ((3.4 * len(node) + 8) / unit, 0.0)

    for a, b in graph.edges:
        points = [at(node) for node in (a, *((a, b, level) for level in range(rank[a] + 1, rank[b])), b)]
        (right, low_by), (left, high_by) = half(a), half(b)
        points[0] = (points[0][0] + right, points[0][1] - low_by)
        points[-1] = (points[-1][0] - left, points[-1][1] + high_by)
        _draw_edge(axes, points, down)
    for node in graph:
        axes.annotate(
            node.replace("_", " "),
            at(node),
            ha="center",
            va="center",
            fontsize=10,
            color=DARK,
            bbox={"boxstyle": "round,pad=0.45", "facecolor": (colours or {}).get(node, "#dbe9f6"), "edgecolor": DARK},
        )
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
