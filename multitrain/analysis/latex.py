"""A table as LaTeX for a paper; it needs the package booktabs."""

import re

from multitrain.analysis.layout import Lines, Rows, headings, notes, our_lines, published_lines, world
from multitrain.config import Scale
from multitrain.experiments import Table

MARKS = {"first": "\\textbf{{{}}}", "second": "\\underline{{{}}}"}
ESCAPED = {
    **{character: f"\\{character}" for character in "&%_#${}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "`": r"\textasciigrave{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"},
    **{"±": r"$\pm$", "→": r"$\to$", "Y′ₖ": r"$Y'_k$", "Yₖ": r"$Y_k$"},
}
FOUND = re.compile("|".join(map(re.escape, ESCAPED)))


def literal(text: str) -> str:
    """Text of the user's, such as a class's name, as LaTeX that shows it."""
    return FOUND.sub(lambda match: ESCAPED[match[0]], " ".join(text.split()))


def escape(text: str) -> str:
    """Text of ours as LaTeX; between backquotes, in typewriter."""
    parts = (FOUND.sub(lambda match: ESCAPED[match[0]], part) for part in text.split("`"))
    return "".join(rf"\texttt{{{part}}}" if index % 2 else part for index, part in enumerate(parts))


def render(table: Table, scale: Scale, rows: Rows) -> str:
    """The rows of a table's CSV as a LaTeX table: the published ones, ours, and the notes as its caption."""
    head = headings(table, scale)
    span = rf"\multicolumn{{{len(head)}}}{{l}}"
    caption = " ".join([f"{table.title}.", *notes(table, scale, rows)])
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(caption)}}}",
            rf"\begin{{tabular}}{{ll{'r' * (len(head) - 2)}}}",
            r"\toprule",
            _line([escape(name) for name in head]),
            r"\midrule",
            rf"{span}{{Published: top-1 / top-5 in percent}} \\",
            *_body(published_lines(table, scale, rows, MARKS), marked=True),
            r"\midrule",
            rf"{span}{{{escape(f'Ours: {world(scale, rows)}')}}} \\",
            *_body(our_lines(table, scale, rows), marked=False),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _body(lines: Lines, marked: bool) -> list[str]:
    """Lines of a table; the datasets' cells of `marked` ones are LaTeX already."""
    return [
        _line([escape(cell) for cell in line[:3]] + (line[3:] if marked else [escape(cell) for cell in line[3:]]))
        for line in lines
    ]


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
