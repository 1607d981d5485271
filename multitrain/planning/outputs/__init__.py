"""The table of workflow outputs: the files of each output, its inputs, and the function that writes it.

Rules, commands, the index, notebooks and the import closure read this table. A new table or figure is one entry in
`computed` or `drawn` and one function. The modules import nothing slow, because planning and every command load them.
"""

from multitrain.planning.outputs.computed import ANALYSES
from multitrain.planning.outputs.drawn import FIGURES
from multitrain.planning.outputs.output import Output
from multitrain.planning.outputs.pages import NOTEBOOKS, OUTPUTS, REPORT, notebook_page

__all__ = ["ANALYSES", "FIGURES", "NOTEBOOKS", "OUTPUTS", "REPORT", "Output", "notebook_page"]
