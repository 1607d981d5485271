"""HTML pages of the timeline and the demo: self-contained, with the curves as SVG."""

import base64
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from multitrain.inference.answers import Answer, Timeline
from multitrain.inference.interpret.explain import MARKED, Explanation
from multitrain.inference.interpret.explanation_files import overlay, shown_frames
from multitrain.inference.timelines.curves import LOOKS, SHOWN, clock, curve

__all__ = ["answers", "data", "demo_page", "panels", "timeline_page"]

TEMPLATES = Path(__file__).parent / "templates"
ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
SIZE = (740, 150)  # of a panel, in units of its own
LEFT, RIGHT, TOP, BOTTOM = 72, 700, 16, 118  # edges of the curves in it
LISTED = 5  # classes listed for the current moment
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800)  # seconds


def timeline_page(timeline: Timeline, title: str, source: str) -> str:
    """The page of a timeline; `source` is the video's URL relative to the page."""
    return ENVIRONMENT.get_template("timeline.html.j2").render(
        title=title,
        source=source,
        part=f"{timeline.part:.1f}",
        note=timeline.note,
        panels=panels(timeline),
        data=script_data(timeline),
        **_shared(),
    )


def demo_page(titles: list[str], limit: int, note: str) -> tuple[str, str]:
    """The demo's page for videos of at most `limit` bytes, and its content security policy."""
    script = ENVIRONMENT.get_template("demo.js").render()
    shared = _shared()
    html = ENVIRONMENT.get_template("demo.html.j2").render(
        titles=titles, limit=limit, note=note, demo=Markup(script), **shared
    )
    allowed = " ".join(_digest(text) for text in (shared["player"], script))
    return html, (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; connect-src 'self'; media-src blob:; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def panels(timeline: Timeline, explained: Mapping[str, Explanation] | None = None) -> Markup:
    """The curves of every dataset, with placeholders for the classes of the current moment.

    Where a dataset's moment is explained, its frames stand below the curves, what decided marked.
    """
    why = explained or {}
    return Markup(
        ENVIRONMENT.get_template("panels.html.j2").render(
            datasets=[
                _panel(timeline, name) | {"why": _why(timeline, why[name]) if name in why else None}
                for name in timeline.scores
            ],
            marked=f"{MARKED:.0%}",
            ticks=[(round(_across(timeline, second), 2), clock(second)) for second in _ticks(timeline.seconds)],
            listed=range(LISTED),
            size=SIZE,
            box=(LEFT, RIGHT, TOP, BOTTOM),
            broken=clock(round(timeline.times[-1, 1], 1)) if timeline.broken else None,
        )
    )


def answers(answer: Answer, titles: dict[str, str], top: int = LISTED) -> Markup:
    """The likeliest classes of every dataset for a whole video, with bars and the number of views."""
    datasets = [(titles[name], answer.views[name], best) for name, best in answer.top(top).items()]
    return Markup(ENVIRONMENT.get_template("answers.html.j2").render(datasets=datasets))


def data(timeline: Timeline) -> dict:
    """The data for player.js: the position of the curves and the likeliest classes of each moment."""
    datasets = []
    for name in timeline.scores:
        tops = [timeline.top(name, moment, LISTED) for moment in range(len(timeline.times))]
        labels = sorted({label for top in tops for label, _ in top})
        number = {label: index for index, label in enumerate(labels)}
        rows = [[[number[label], round(share, 3)] for label, share in top] for top in tops]
        datasets.append({"labels": labels, "top": rows})
    middles = [round(time, 3) for time in timeline.middles.tolist()]
    return {"seconds": timeline.seconds, "left": LEFT, "right": RIGHT, "middles": middles, "datasets": datasets}


def script_data(timeline: Timeline) -> Markup:
    """The data as the content of a <script>, escaped: a class's name cannot end it."""
    return Markup(json.dumps(data(timeline), separators=(",", ":")).replace("<", "\\u003c"))


def _panel(timeline: Timeline, name: str) -> dict:
    lines = []
    for index, (colour, dashes) in zip(timeline.strongest(name, SHOWN), LOOKS, strict=False):
        times, shares = curve(timeline, name, index)
        points = " ".join(
            f"{_across(timeline, time):.1f},{BOTTOM - (BOTTOM - TOP) * share:.1f}"
            for time, share in zip(times.tolist(), shares.tolist(), strict=True)
        )
        dash = " ".join(f"{dash:g}" for dash in dashes) or "none"
        lines.append({"label": timeline.classes[name][index], "colour": colour, "dash": dash, "points": points})
    return {"name": name, "title": timeline.titles[name], "lines": lines}


def _why(timeline: Timeline, its: Explanation) -> dict:
    """Frames with their relevance as heat, side by side, as a PNG in a data URI; and the deletion check."""
    frames = np.concatenate([overlay(its, place) for place in shown_frames(its)], axis=1)  # (S, n S, 3)
    file = io.BytesIO()
    Image.fromarray(frames).save(file, "PNG")
    return {
        "uri": "data:image/png;base64," + base64.b64encode(file.getvalue()).decode(),
        "at": f"{_across(timeline, float(its.times.mean())):.1f}",
        "label": its.name,
        "start": clock(round(float(its.times[0]), 1)),
        "end": clock(round(float(its.times[-1]), 1)),
        "shares": [f"{100 * share:.1f} %" for share in (its.probability, its.hidden, its.elsewhere)],
    }


def _across(timeline: Timeline, second: float) -> float:
    return LEFT + (RIGHT - LEFT) * second / timeline.seconds


def _ticks(seconds: float) -> list[float]:
    step = next((step for step in STEPS if seconds / step <= 10), STEPS[-1])
    return [round(index * step, 1) for index in range(int(seconds / step + 1e-9) + 1)]


def _shared() -> dict[str, Markup]:
    """Style and player, which both pages include."""
    files = {"css": "style.css", "player": "player.js"}
    return {name: Markup((TEMPLATES / file).read_text("utf-8")) for name, file in files.items()}


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
