"""LaTeX of a table, with the package booktabs."""

import re

from multitrain.analysis.render.sheet import Sheet, Syntax

__all__ = ["table"]

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


SYNTAX = Syntax(literal, {"bold": r"\textbf{{{}}}", "underline": r"\underline{{{}}}"}, "; ")


def table(sheet: Sheet) -> str:
    """A table with its title and notes as the caption, and a line and a heading before each group of rows."""
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(' '.join([f'{sheet.title}.', *sheet.notes]))}}}",
        rf"\begin{{tabular}}{{{sheet.align}}}",
        r"\toprule",
        rf"{' & '.join(map(escape, sheet.head))} \\",
    ]
    for section in sheet.sections:
        heading = escape(section.whole or section.heading)
        lines += [r"\midrule", rf"\multicolumn{{{len(sheet.head)}}}{{l}}{{{heading}}} \\"]
        lines += [rf"{' & '.join(map(SYNTAX.cell, row))} \\" for row in section.rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])
