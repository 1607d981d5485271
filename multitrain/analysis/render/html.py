"""HTML of tables for pages and notebooks: pandas Stylers that carry their own look."""

from html import escape

import pandas as pd
from pandas.io.formats.style import Styler

from multitrain.analysis.render.sheet import Syntax

__all__ = ["SYNTAX", "frame", "styled"]

SYNTAX = Syntax(escape, {"bold": "<b>{}</b>", "underline": "<u>{}</u>", "small": "<small>{}</small>"}, "<br>")
RIGHT = [{"selector": "", "props": "text-align: right"}]
LOOK = [
    {"selector": "", "props": "border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums"},
    {"selector": "caption", "props": "caption-side: top; text-align: left; color: #586069; padding: 4px 0 8px"},
    {"selector": "th", "props": "text-align: left; vertical-align: bottom; padding: 5px 10px; font-weight: 600"},
    {"selector": "thead th", "props": "border-bottom: 2px solid #1c1f23"},
    {
        "selector": "td",
        "props": "text-align: left; vertical-align: top; padding: 5px 10px; border-bottom: 1px solid #d5d9de",
    },
    {"selector": "small", "props": "color: #586069; white-space: nowrap"},
]


def styled(table: pd.DataFrame, name: str, caption: str) -> Styler:
    """Cells are HTML already; the identifiers in the page are from `name`, so that a page is the same every time.

    Cells have none: they would be a third of a long table's bytes.
    """
    return Styler(table, uuid=name, caption=caption, cell_ids=False).hide(axis="index").set_table_styles(LOOK)


def frame(table: pd.DataFrame, name: str, caption: str = "", digits: int = 1) -> Styler:
    """The Styler of any table: escaped text, numbers right-aligned with `digits` decimals; `name` is unique."""
    numbers = [column for column in table if pd.api.types.is_float_dtype(table[column])]
    right = [column for column in table if pd.api.types.is_numeric_dtype(table[column])]
    style = styled(table.reset_index(drop=True), name, escape(caption)).format(escape="html", na_rep="-")
    style = style.format(precision=digits, subset=numbers, na_rep="-") if numbers else style
    return style.set_table_styles(dict.fromkeys(right, RIGHT), overwrite=False) if right else style
