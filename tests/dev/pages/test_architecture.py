"""The drawn layers and flow are those of the code."""

import networkx as nx
import pytest

from dev.pages import architecture, graphs

RENEW = "the code has changed: run `make architecture` and commit docs/architecture"


def written(name: str) -> str:
    return (architecture.OUT / f"{name}.txt").read_text(encoding="utf-8")


def test_the_layers_are_those_of_the_code():
    assert written("layers") == architecture.text("layers", architecture.layers()), RENEW


@pytest.mark.slow  # Snakemake plans
def test_the_flow_is_that_of_the_workflow():
    assert written("flow") == architecture.text("flow", architecture.flow()[0]), RENEW


def test_a_cycle_is_one_box_and_an_arrow_that_follows_is_left_out():
    graph = nx.DiGraph([("cli", "use"), ("use", "demo"), ("demo", "use"), ("demo", "data"), ("cli", "data")])
    drawn = graphs.condensed(graph)
    assert set(drawn.edges) == {("cli", "demo + use"), ("demo + use", "data")}


def test_ranks_follow_arrows_and_the_same_graph_gives_the_same_picture(tmp_path):
    graph = nx.DiGraph([("a", "b"), ("b", "c"), ("a", "c"), ("d", "c"), ("c", "e"), ("a", "e")])
    rank, _ = graphs.places(graphs.condensed(graph))
    assert all(rank[a] < rank[b] for a, b in graph.edges)
    for name in ("once.png", "again.png"):
        graphs.draw(graph, tmp_path / name)
    assert (tmp_path / "once.png").read_bytes() == (tmp_path / "again.png").read_bytes()
