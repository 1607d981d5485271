"""Which run a row of a table shows, what a run is called, and what it recorded."""

from pathlib import Path

from multitrain.analysis.predictions import read_json
from multitrain.config import Experiments, Scale, Table
from multitrain.errors import UserError


def run_of(table: Table, method: str, dataset: str, experiments: Experiments) -> str:
    """The run that the row `method` of a table shows for a dataset, or a UserError that lists the rows."""
    found = [
        name
        for row in table.rows
        if row.method == method
        for name in row.runs
        if dataset in experiments.run(name).datasets
    ]
    if not found:
        methods = ", ".join(row.method for row in table.rows)
        raise UserError(f"{table.title}: no row {method!r} with {dataset}; its rows are {methods}")
    return found[0]


def joint_runs(experiments: Experiments) -> tuple[str, ...]:
    """The runs of the tables that train on more than one dataset, each once, in the tables' order."""
    named = [name for table in experiments.tables.values() for row in table.rows for name in row.runs]
    return tuple(dict.fromkeys(name for name in named if len(experiments.run(name).datasets) > 1))


def method_names(experiments: Experiments, scale: Scale) -> dict[str, str]:
    """What each run of the tables is called: the first row that shows it.

    Two joint runs of the same row's name differ in their datasets; the later one says which: `MultiTrain (K700 set)`.
    """
    names: dict[str, str] = {}
    owners: dict[str, str] = {}
    for table in experiments.tables.values():
        for row in table.rows:
            for run in row.runs:
                if run in names:
                    continue
                owner = owners.setdefault(row.method, run)
                names[run] = row.method
                if owner != run and len(experiments.run(run).datasets) > 1:
                    own = set(experiments.run(run).datasets) - set(experiments.run(owner).datasets)
                    titles = ", ".join(scale.dataset(name).title for name in scale.datasets if name in own)
                    names[run] = f"{row.method} ({titles} set)"
    return names


def read_record(folder: Path) -> dict:
    """A run's run.json, which says at least whether its data are `synthetic`."""
    path = folder / "run.json"
    record = read_json(path, "`multitrain train`")
    if not isinstance(record, dict) or not isinstance(record.get("synthetic"), bool):
        raise UserError(f"{path}: does not say whether its data are synthetic: `multitrain train` writes it anew")
    return record


def yes_no(synthetic: bool) -> str:
    """As the tables say it."""
    return "yes" if synthetic else "no"
