"""docs/reference/cost.md is what the committed records say."""

from dev.pages import cost


def test_the_page_is_in_step_with_the_records():
    said = cost.OUT.read_text(encoding="utf-8")
    assert cost.page() == said, "run `python -m dev.pages.cost` and commit docs/reference/cost.md"
