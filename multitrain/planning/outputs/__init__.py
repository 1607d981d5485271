"""The table of workflow outputs: what each consists of, what it is made from, and what writes it.

Rules, commands, the index, notebooks and the closure of the code read it. A new table or figure is one entry in
`computed` or `drawn` and one function. Nothing heavy is imported, because planning and the command line read it first.
"""

from multitrain.planning.outputs.computed import ANALYSES
from multitrain.planning.outputs.drawn import FIGURES
from multitrain.planning.outputs.output import Output
from multitrain.planning.outputs.pages import NOTEBOOKS, OUTPUTS, REPORT, notebook_page

__all__ = ["ANALYSES", "FIGURES", "NOTEBOOKS", "OUTPUTS", "REPORT", "Output", "notebook_page"]
