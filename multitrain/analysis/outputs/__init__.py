"""The table of workflow outputs: what each consists of, what it is made from, and what writes it.

Rules, commands, the index, notebooks and the closure of the code read it. A new table or figure is one entry in
`computed` or `drawn` and one function. Nothing heavy is imported, because planning and the command line read it first.
"""

from multitrain.analysis.outputs.computed import ANALYSES
from multitrain.analysis.outputs.drawn import FIGURES
from multitrain.analysis.outputs.output import Output
from multitrain.analysis.outputs.pages import NOTEBOOKS, OUTPUTS, REPORT, notebook_page

__all__ = ["ANALYSES", "FIGURES", "NOTEBOOKS", "OUTPUTS", "REPORT", "Output", "notebook_page"]
