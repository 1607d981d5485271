"""The records that answer claims, each read once: what runs left, and what other analyses made of it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from multitrain.analysis.projections.projection_weights import Projection, read_projections
from multitrain.analysis.render.columns import NETWORKS
from multitrain.analysis.study.checked_tables import only, read
from multitrain.analysis.study.run_names import seeds_of
from multitrain.analysis.tables.paper_tables import our_rows, published_rows
from multitrain.common.errors import UserError
from multitrain.config.answered_claims import STATED, Answered
from multitrain.config.claims import Claims
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["Records"]


@dataclass(frozen=True)
class Records:
    """Of all seeds of a scale's runs, in a results folder; `published` holds the paper's tables."""

    scale: Scale
    experiments: Experiments
    claims: Claims
    seeds: tuple[int, ...]
    results: Path
    published: Path

    def datasets(self, claim: Answered) -> tuple[str, ...]:
        """Of a claim, in order."""
        return claim.datasets or self.experiments.table(claim.table).datasets

    def title(self, dataset: str) -> str:
        return self.scale.dataset(dataset).title

    def run(self, claim: Answered, method: str, dataset: str) -> str:
        """The run that the claim's table shows for a method and dataset."""
        run = self.experiments.run_of(self.experiments.table(claim.table), method, dataset)
        assert run is not None  # as `load_claims` has seen to
        return run

    def joint(self, claim: Answered, method: str) -> str:
        """The one run of a method.

        Raises:
            UserError: the row shows several.
        """
        rows = [row for row in self.experiments.table(claim.table).rows if row.method == method]
        if [len(row.runs) for row in rows] != [1]:
            raise UserError(f"{claim.table}: {method!r} is no single run: kind {claim.kind} of claims.yaml needs one")
        return rows[0].runs[0]

    def seeds_of(self, *runs: str) -> tuple[int, ...]:
        """Those of the seeds that all of these runs have."""
        home = self.results / "runs" / self.scale.name
        return tuple(seed for seed in self.seeds if all(seed in seeds_of(home, run, self.seeds) for run in runs))

    @cached_property
    def _networks(self) -> pd.DataFrame:
        return read(self.results, "networks.csv", tuple(NETWORKS))

    def network(self, run: str) -> pd.DataFrame:
        """What networks.csv says of a run, a row a dataset, by its key."""
        rows = self._networks
        its = only(rows, self.results / "networks.csv", f"network of run {run}", rows["run"] == run)
        return its.set_index("dataset")

    @cached_property
    def synthetic(self) -> bool:
        """Whether any of the joint runs saw made-up videos."""
        return bool((self._training["synthetic"] == "yes").any())

    @cached_property
    def _training(self) -> pd.DataFrame:
        return read(self.results, "training.parquet", ("run", "scale", "synthetic", "seed", "step", "epoch", "total"))

    def history(self, run: str, seed: int) -> pd.DataFrame:
        """The recorded steps of a joint run; columns as `write_training` says."""
        rows = self._training
        keep = (rows["run"] == run) & (rows["seed"] == seed)
        return only(rows, self.results / "training.parquet", f"steps of run {run}, seed {seed}", keep)

    @cached_property
    def _spectrum(self) -> pd.DataFrame:
        needs = ("run", "space", "seed", "index", "eigenvalue", "effective_rank", "dimensions")
        return read(self.results, "spectrum.csv", needs)

    def spectrum(self, run: str, seed: int) -> pd.DataFrame:
        """Eigenvalues of z's covariance, largest first."""
        rows = self._spectrum
        keep = (rows["run"] == run) & (rows["seed"] == seed) & (rows["space"] == "z")
        return only(rows, self.results / "spectrum.csv", f"eigenvalues of z of run {run}, seed {seed}", keep)

    def projections(self, run: str) -> list[Projection]:
        """Of every seed and ordered pair of datasets."""
        return read_projections(self.results, self.scale, (run,), self.seeds)

    def recovery(self, run: str) -> pd.DataFrame:
        """Of the raw weights, a row a seed and ordered pair of datasets with related classes."""
        name = "projection_recovery.csv"
        needs = ("run", "source", "target", "form", "seed", "related")
        rows = read(self.results, name, (*needs, "average_precision", "chance_average_precision", "p_value"))
        keep = (rows["run"] == run) & (rows["form"] == "weight") & rows["seed"].isin(self.seeds) & (rows["related"] > 0)
        return only(rows, self.results / name, f"related classes of run {run}", keep)

    def ours(self, table: str, method: str) -> dict[str, dict[str, str]]:
        """Our rows of a method in a table, by dataset, from the runs."""
        rows = our_rows(self.experiments.table(table), self.scale, self.experiments, self.seeds, self.results)
        return {row["dataset"]: row for row in rows if row["method"] == method}

    def paper(self, table: str, method: str) -> dict[str, dict[str, str]]:
        """The rows of a method of a published table, by dataset.

        Raises:
            UserError: there is no such method.
        """
        path = self.published / self.experiments.table(table).published
        its = {row["dataset"]: row for row in published_rows(path) if row["method"] == method}
        if not its:
            raise UserError(f"{path}: no method {method!r}, which claims.yaml names")
        return its

    def stated(self, name: str) -> float:
        """A number that the paper's text gives."""
        rows = read(self.published, STATED, ("statement", "value"))
        its = only(rows, self.published / STATED, f"statement {name}", rows["statement"] == name)
        return float(its["value"].iloc[0])
