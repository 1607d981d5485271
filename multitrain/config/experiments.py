"""Settings of the runs and the tables (config/experiments.yaml), the same at every scale."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, ModelWrapValidatorHandler, PrivateAttr, ValidationError, model_validator

from multitrain.common.errors import UserError, did_you_mean
from multitrain.config.base import Growing, Name, Settings
from multitrain.config.model_settings import backbone_name
from multitrain.config.recipes import ExtraLoss, Recipe

__all__ = ["Compared", "Experiments", "ProjectionTable", "Row", "Run", "Table", "with_later_keys"]


SWITCHES = ("informative", "projection", "weighting")  # keys of a run that `set` may have too


class Run(Growing):
    """One training run; the loss switches default to Vanilla."""

    LATER: ClassVar[frozenset[str]] = frozenset({"backbone", "set", "extra_losses"})

    datasets: tuple[Name, ...] = Field(min_length=1, description="one, or several that are trained on jointly")
    recipe: Name = Field(description="of the scale's recipes")
    size: Literal["base", "large"] = Field("base", description="of the scale's sizes")
    backbone: Annotated[str, AfterValidator(backbone_name)] | None = Field(
        None,
        description="one of the scale's `backbones`, or any that model.backbone can name, in place of the model's",
    )
    informative: bool = Field(False, description="variance and covariance terms, Eq. 2 and 3")
    projection: Literal["add", "detached", "separate", "none"] = Field(
        "none", description="add: Eq. 4; detached: Eq. 4, no gradient to the others' logits; separate: own branches"
    )
    weighting: Literal["uncertainty", "fixed"] = Field("fixed", description="uncertainty: Eq. 6")
    extra_losses: tuple[ExtraLoss, ...] = Field((), description="user-defined terms beside those of Eq. 6")
    init: Name | None = Field(None, description="run whose backbone gives the initial weights")
    steps_of: Name | None = Field(None, description="train for as many steps as that run takes, not for the epochs")
    checkpoint: Literal["last", "best"] = Field(
        "last", exclude=True, description="weights in model.pt: the last, or the best on val, which needs val_every"
    )
    set: dict[str, Any] = Field(
        {}, description="keys of its recipe with other values, and informative, projection or weighting"
    )

    @model_validator(mode="wrap")
    @classmethod
    def _set_switches(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Take the switches in `set` as the run's own; their errors name `set`."""
        if not isinstance(values, Mapping) or not isinstance(values.get("set"), Mapping):
            return handler(values)
        changed = {key: value for key, value in values["set"].items() if key in SWITCHES}
        rest = {key: value for key, value in values["set"].items() if key not in SWITCHES}
        try:
            return handler({**values, **changed, "set": rest})
        except ValidationError as error:
            found = [
                each | {"loc": ("set", *each["loc"])} if each["loc"][:1] and each["loc"][0] in changed else each
                for each in error.errors(include_url=False)
            ]
            raise ValidationError.from_exception_data(cls.__name__, found) from None  # type: ignore[arg-type]

    @property
    def adds(self) -> bool:
        """Whether it is trained on the sum of Eq. 4, so that Y'_k can be scored too."""
        return self.projection in ("add", "detached")

    def effective_recipe(self, recipes: Mapping[str, Recipe]) -> Recipe:
        """Its recipe with the values of `set`, of an entry such as mixing key by key.

        Raises:
            ValidationError: `set` has an unknown key or a wrong value.
        """
        recipe = recipes[self.recipe]
        return Recipe.model_validate(_merged(recipe.model_dump(), self.set)) if self.set else recipe


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(values)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = _merged(found[key], value) if both else value
    return found


def with_later_keys(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record's settings and recipe with the defaults of keys that did not exist when it was written."""
    kinds: dict[str, type[Growing]] = {"settings": Run, "recipe": Recipe}
    return {key: kinds[key].completed(value) if key in kinds else value for key, value in record.items()}


class Row(Settings):
    """A row of ours in a table: one run, or several single-dataset runs shown as one row."""

    method: str = Field(description="name in the table")
    runs: tuple[Name, ...] = Field(min_length=1, description="a run, or a single-dataset run for each dataset")


class Table(Settings):
    """A table: published rows as they stand, where there are any, then ours."""

    title: str = Field(description="above the table")
    published: str | None = Field(None, description="file in resources/published; null: rows of ours alone")
    datasets: tuple[Name, ...] = Field(description="its columns")
    rows: tuple[Row, ...] = Field(description="below the published ones, in this order")
    remark: str = Field("", description="what a reader of it has to know beside the numbers")


class ProjectionTable(Settings):
    """Table 4: the class pairs of the largest projection weights."""

    title: str = Field("Class pairs of the largest projection weights", description="above the table")
    published: str | None = Field(None, description="file in resources/published; null: pairs of ours alone")
    runs: tuple[Name, ...] = Field(min_length=1, description="runs with projections, one after the other")


class Compared(NamedTuple):
    """Two rows of a table, for the gain in each class; `method` is "" where there is only one row."""

    table: str
    baseline: str
    method: str


class Experiments(Settings):
    """config/experiments.yaml."""

    runs: dict[Name, Run] = Field(description="by name")
    tables: dict[Name, Table] = Field(description="by name: table1, table2, table3")
    projections: ProjectionTable | None = Field(None, description="table4; null: there is none")
    recipes_by_name: bool = Field(True, exclude_if=bool, description="a run has the recipe of its name, if any")
    _left_out: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _references(self) -> Self:
        for name, run in self.runs.items():
            self._check_run(name, run)
        for name, table in self.tables.items():
            for place, row in enumerate(table.rows):
                for shown in row.runs:
                    self._require(shown, f"tables.{name}.rows.{place}.runs")
        for name in self.projections.runs if self.projections else ():
            self._require(name, "projections.runs")
            if self.runs[name].projection == "none":
                raise ValueError(f"projections.runs: {name!r} has no projections: take it out")
        return self

    def _check_run(self, name: str, run: Run) -> None:
        if run.init is not None:
            self._require(run.init, f"runs.{name}.init")
        if run.steps_of is not None:
            self._require(run.steps_of, f"runs.{name}.steps_of")
            if self.runs[run.steps_of].steps_of:
                raise ValueError(f"runs.{name}.steps_of: {run.steps_of!r} has no epochs of its own: name another run")
        if twice := [each for each in dict.fromkeys(run.datasets) if run.datasets.count(each) > 1]:
            raise ValueError(f"runs.{name}.datasets: {twice[0]!r} is named twice: leave one")
        terms = [*run.datasets, *(each.name for each in run.extra_losses)]
        if twice := [each for each in dict.fromkeys(terms) if terms.count(each) > 1]:
            raise ValueError(f"runs.{name}.extra_losses: two terms are called {twice[0]!r}: rename the function")
        if run.projection != "none" and len(run.datasets) < 2:
            raise ValueError(
                f"runs.{name}.projection: {run.projection!r} is between datasets, and there is "
                f"{run.datasets[0]} alone: add a dataset, or leave projection out"
            )
        seen = [name]
        while (following := self.runs[seen[-1]].init) is not None and following in self.runs:
            if following in seen:
                raise ValueError(
                    f"runs.{name}.init: goes in a circle, {' -> '.join([*seen, following])}: leave one out"
                )
            seen.append(following)

    def _require(self, name: str, place: str) -> None:
        """Raise a ValueError for a name that is no run."""
        if name not in self.runs:
            raise ValueError(f"{place}: no run {name!r}: {did_you_mean(name, self.runs)}")

    @property
    def left_out(self) -> dict[str, str]:
        """Why something is left out, by `runs.NAME`, `tables.NAME`, `projections`, `features` (of the mapped run)."""
        return self._left_out

    def without(self, gone: dict[str, str]) -> "Experiments":
        """The experiments without these runs, tables and projections, whose keys are those of `left_out`."""
        kept = self.model_copy(
            update={
                "runs": {name: run for name, run in self.runs.items() if f"runs.{name}" not in gone},
                "tables": {name: table for name, table in self.tables.items() if f"tables.{name}" not in gone},
                "projections": None if "projections" in gone else self.projections,
            }
        )
        kept._left_out = gone
        return kept

    def run(self, name: str) -> Run:
        """The run of that name, or an error that says why it is not there, or lists those there are."""
        if why := self._left_out.get(f"runs.{name}"):
            raise UserError(f"runs.{name}: {why}")
        if name not in self.runs:
            raise UserError(f"no run {name!r} in the experiments; there are {', '.join(self.runs)}")
        return self.runs[name]

    def table(self, name: str, where: str = "") -> Table:
        """The table of that name, or an error that says why it is not there, or lists those there are."""
        if why := self._left_out.get(f"tables.{name}"):
            raise UserError(f"{where}tables.{name}: {why}")
        if name not in self.tables:
            there = ", ".join(self.tables) or "none"
            raise UserError(f"no table {name!r} in the experiments; there are {there}, and table4 of the projections")
        return self.tables[name]

    def shown_runs(self, *tables: str) -> tuple[str, ...]:
        """The runs that some tables show, each once, in their order; without a name, that any table does."""
        rows = [row for name in tables or self.tables for row in self.tables[name].rows]
        return tuple(dict.fromkeys(name for row in rows for name in row.runs))

    def asked_runs(self) -> tuple[str, ...]:
        """The runs that tables and projections show and those that these start from; all where nothing is shown."""
        asked = [*self.shown_runs(), *(self.projections.runs if self.projections else ())] or list(self.runs)
        for name in asked:  # grows
            asked += [other for other in (self.runs[name].init, self.runs[name].steps_of) if other in self.runs]
        return tuple(dict.fromkeys(name for name in asked if name is not None))

    def baseline(self, dataset: str, scratch: bool = False) -> str:
        """The first run of the tables on that dataset alone; with `scratch` the first of random initial weights.

        Raises:
            UserError: no table shows one.
        """
        alone = [name for name in self.shown_runs() if self.runs[name].datasets == (dataset,)]
        for name in alone:
            if not scratch or self.runs[name].init is None:
                return name
        start = " from random weights" if scratch else ""
        raise UserError(f"no row of a table has a run on {dataset} alone{start}: add one to the experiments")

    def joint_runs(self) -> tuple[str, ...]:
        """The runs of the tables that train on more than one dataset."""
        return tuple(name for name in self.shown_runs() if len(self.runs[name].datasets) > 1)

    def projecting_runs(self) -> tuple[str, ...]:
        """The runs of the tables that have projections."""
        return tuple(name for name in self.shown_runs() if self.runs[name].projection != "none")

    def used_datasets(self) -> tuple[str, ...]:
        """The datasets of the runs that are shown, in their order."""
        return tuple(dict.fromkeys(name for run in self.asked_runs() for name in self.runs[run].datasets))

    def compared(self) -> tuple[Compared, ...]:
        """The baseline and the method of each table; none of a table whose runs are those of one before.

        They are the rows `Baseline` and `MultiTrain`; where there is no such row, the first one, and the first
        that is one run on several datasets.
        """
        by_runs: dict[tuple, Compared] = {}
        for name, table in self.tables.items():
            rows = {row.method: row.runs for row in table.rows}
            baseline = "Baseline" if "Baseline" in rows else next(iter(rows))
            joint = [row for row, runs in rows.items() if len(runs) == 1 and len(self.runs[runs[0]].datasets) > 1]
            others = [row for row in joint if row != baseline]
            method = "MultiTrain" if "MultiTrain" in others else next(iter(others), "")
            pairs = [
                (dataset, *(self.run_of(table, row, dataset) if row else None for row in (baseline, method)))
                for dataset in table.datasets
            ]
            if all(key in by_runs for key in pairs):
                continue
            by_runs |= dict.fromkeys(pairs, Compared(name, baseline, method))
        return tuple(dict.fromkeys(by_runs.values()))

    def mapped_run(self) -> str | None:
        """The run whose classes are shown in one space: the first table's joint one."""
        for table, _, method in self.compared()[:1]:
            runs = [row.runs for row in self.tables[table].rows if row.method == method]
            return runs[0][0] if runs else None
        return None

    def run_of(self, table: Table, method: str, dataset: str) -> str | None:
        """The run that a table's row of that method shows for a dataset; None leaves the cell empty, as the paper does.

        Raises:
            UserError: the table has no such row, or more than one run for that cell.
        """
        rows = [row for row in table.rows if row.method == method]
        if not rows:
            there = ", ".join(row.method for row in table.rows)
            raise UserError(f"{table.title}: no row {method!r}; its rows are {there}")
        found = [name for row in rows for name in row.runs if dataset in self.run(name).datasets]
        if len(found) > 1:
            raise UserError(f"row {method!r}: {dataset} is in more than one of its runs: {', '.join(found)}")
        return found[0] if found else None
