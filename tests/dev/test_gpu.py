"""What the page on estimates says of accelerators is what dev/gpu.py measured, or that nothing was."""

import json

import pytest

from dev import gpu
from dev.pages.marked import END, begin

ROW = {"scale": "mini", "size": "base", "precision": "bfloat16", "checkpointing": True}
FIGURES = {
    "device": "Card 1",
    "torch": "2.14",
    "outcome": "passed",
    "rows": [{**ROW, "estimated": 1.5, "measured": 1.4666, "tflops": 0.25}],
}


def test_the_page_has_the_figures_there_are():
    figures = json.loads(gpu.FIGURES.read_text()) if gpu.FIGURES.exists() else None
    text = gpu.PAGE.read_text(encoding="utf-8")
    assert gpu.page(text, figures) == text


def test_figures_become_a_table():
    made = gpu.page(f"before\n{begin(gpu.WRITER)}{gpu.NEVER}{END}after\n", FIGURES)
    assert "On Card 1, torch 2.14; tests/gpu passed." in made and gpu.NEVER not in made
    assert "| mini | base | bfloat16 | computed again | 1.5 | 1.47 | 0.25 |" in made
    assert made.startswith("before\n") and made.endswith(f"{END}after\n")


def test_a_page_without_the_place_is_named():
    with pytest.raises(SystemExit, match=r"estimate\.md: the lines .* are missing"):
        gpu.page("no place", None)


def test_without_an_accelerator_nothing_is_run(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("something was run"))
    with pytest.raises(SystemExit, match="no accelerator here"):
        gpu.main()
