"""Lookup of the records that decide claims: tables of other analyses and the paper's; each file is read once."""

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
from multitrain.config.claims import STATED, Claims, EvidenceClaim
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["Records"]


@dataclass(frozen=True)
class Records:
    """The records of a scale's runs in a results folder; `published` holds the paper's tables."""

    scale: Scale
    experiments: Experiments
    claims: Claims
    seeds: tuple[int, ...]
    results: Path
    published: Path

    def datasets(self, claim: EvidenceClaim) -> tuple[str, ...]:
        """The datasets of a claim, in order."""
        return claim.datasets or self.experiments.table(claim.table).datasets

    def title(self, dataset: str) -> str:
        return self.scale.dataset(dataset).title

    def run(self, claim: EvidenceClaim, method: str, dataset: str) -> str:
        """The run that the claim's table shows for a method and dataset."""
        run = self.experiments.run_of(self.experiments.table(claim.table), method, dataset)
        assert run is not None  # `load_claims` checks it
        return run

    def joint(self, claim: EvidenceClaim, method: str) -> str:
        """The joint run of a method.

        Raises:
            UserError: the method's row shows several runs.
        """
        rows = [row for row in self.experiments.table(claim.table).rows if row.method == method]
        if [len(row.runs) for row in rows] != [1]:
            raise UserError(f"{claim.table}: {method!r} is no single run: kind {claim.kind} of claims.yaml needs one")
        return rows[0].runs[0]

    def seeds_of(self, *runs: str) -> tuple[int, ...]:
        """The seeds that all of these runs have."""
        home = self.results / "runs" / self.scale.name
        return tuple(seed for seed in self.seeds if all(seed in seeds_of(home, run, self.seeds) for run in runs))

    @cached_property
    def _networks(self) -> pd.DataFrame:
        return read(self.results, "networks.csv", tuple(NETWORKS))

    def network(self, run: str) -> pd.DataFrame:
        """The rows of networks.csv for a run, indexed by dataset."""
        rows = self._networks
        rows = only(rows, self.results / "networks.csv", f"network of run {run}", rows["run"] == run)
        return rows.set_index("dataset")

    @cached_property
    def synthetic(self) -> bool:
        """Whether any joint run was trained on synthetic videos."""
        return bool((self._training["synthetic"] == "yes").any())

    @cached_property
    def _training(self) -> pd.DataFrame:
        return read(self.results, "training.parquet", ("run", "scale", "synthetic", "seed", "step", "epoch", "total"))

    def history(self, run: str, seed: int) -> pd.DataFrame:
        """The recorded training steps of a joint run, with the columns of training.parquet."""
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
        """The projections of a run, of every seed and ordered pair of datasets."""
        return read_projections(self.results, self.scale, (run,), self.seeds)

    def recovery(self, run: str) -> pd.DataFrame:
        """Recovery by the raw weights: a row for each seed and ordered pair of datasets with related classes."""
        name = "projection_recovery.csv"
        needs = ("run", "source", "target", "form", "seed", "related")
        rows = read(self.results, name, (*needs, "average_precision", "chance_average_precision", "p_value"))
        keep = (rows["run"] == run) & (rows["form"] == "weight") & rows["seed"].isin(self.seeds) & (rows["related"] > 0)
        return only(rows, self.results / name, f"related classes of run {run}", keep)

    def ours(self, table: str, method: str) -> dict[str, dict[str, str]]:
        """Our rows of a method in a table, by dataset."""
        rows = our_rows(self.experiments.table(table), self.scale, self.experiments, self.seeds, self.results)
        return {row["dataset"]: row for row in rows if row["method"] == method}

    def paper(self, table: str, method: str) -> dict[str, dict[str, str]]:
        """The rows of a method of a published table, by dataset.

        Raises:
            UserError: there is no such method.
        """
        if (file := self.experiments.table(table).published) is None:
            raise UserError(f"tables.{table} has no published rows, which a claim names: name the file as `published`")
        path = self.published / file
        rows = {row["dataset"]: row for row in published_rows(path) if row["method"] == method}
        if not rows:
            raise UserError(f"{path}: no method {method!r}, which claims.yaml names")
        return rows

    def stated(self, name: str) -> float:
        """A number from the paper's text."""
        rows = read(self.published, STATED, ("statement", "value"))
        rows = only(rows, self.published / STATED, f"statement {name}", rows["statement"] == name)
        return float(rows["value"].iloc[0])
