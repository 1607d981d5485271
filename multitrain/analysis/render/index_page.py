"""results/index.html: links to all outputs of the workflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from multitrain.analysis.accuracy.metrics import SMOKE_TEST
from multitrain.analysis.render import page_tables
from multitrain.analysis.study.run_names import method_names, seeds_of
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.files.json_files import read_json
from multitrain.common.records.run_record import RunRecord, read_record
from multitrain.config.claims import Claims
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale
from multitrain.planning.outputs import ANALYSES, FIGURES, NOTEBOOKS, REPORT, notebook_page
from multitrain.planning.outputs.left_out import lacking, left_out, own_tables, there

__all__ = ["write_index"]

TEMPLATES = Path(__file__).parent / "templates"

KINDS = ("csv", "md", "tex")  # of a table
CLAIM = ("claim", "section", "stated_by", "same_fact_as", "text", "claim_verdict", "claim_verdict_projected")


NEEDED = ("datasets", "steps", "seconds", "code", "commit", "settings.weighting", "sigma")  # fields of run.json


@dataclass(frozen=True)
class Record:
    """One run of one seed, as a line of the page."""

    method: str  # as tables call the run
    seed: int
    folder: str  # relative to the page
    datasets: str
    steps: int
    minutes: str
    code: str
    commit: str
    sigma: str
    synthetic: bool


def write_index(scale: Scale, experiments: Experiments, claims: Claims, seeds: tuple[int, ...], results: Path) -> None:
    """Write <results>/index.html from what is in <results>; a UserError where anything it links to is not there.

    What the study cannot have is listed with the reason.
    """
    gone = left_out(scale, experiments, claims)
    home, methods = results / "runs" / scale.name, method_names(experiments, scale)
    records = [
        record(run, methods[run], seed, scale, results)
        for run in experiments.shown_runs()
        for seed in seeds_of(home, run, seeds)
    ]
    names = {name: settings.title for name, settings in scale.datasets.items()}
    decided = _decided(results, gone)
    of_paper = decided["stated_by"] == "paper"
    facts = (of_paper | (not of_paper.any())) & (decided["same_fact_as"] == "")  # as claims.md counts them
    tables = {name: (table.title, _accuracy(results, name, names)) for name, table in experiments.tables.items()}
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    html = environment.get_template("index.html.j2").render(
        css=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        scale=scale.name,
        smoke_test=SMOKE_TEST if scale.smoke_test else "",
        synthetic=any(each.synthetic for each in records),
        seeds=", ".join(map(str, seeds)),
        codes=sorted({each.code for each in records}),
        commits=sorted({each.commit for each in records} - {""}),
        claims=decided.to_dict("records"),
        of_paper=bool(of_paper.any()),
        verdicts=decided["claim_verdict"][facts].value_counts().to_dict(),
        gone=lacking(gone),
        own=bool(own_tables(experiments)),
        published=any(table.published for table in experiments.tables.values()),
        tables=tables,
        table4=experiments.projections.title if experiments.projections else "",
        kinds=KINDS,
        report=notebook_page(REPORT),
        figures=_figures(gone),
        notebooks={name: each.title for name, each in there(NOTEBOOKS, "notebook ", gone).items()},
        datasets=[_dataset(name, scale, results) for name in scale.datasets if name in experiments.used_datasets()],
        records=records,
        card="card" not in gone and (results / "world_card.html").exists(),
        costs=_costs(home / "flops.json"),
    )
    for link in links(html):
        if not (results / link).exists():
            raise UserError(f"{results / link}: not there, but the index leads to it: run `snakemake {results / link}`")
    with atomic(results / "index.html") as temporary:
        temporary.write_text(html, encoding="utf-8")


def _decided(results: Path, gone: Mapping[str, str]) -> pd.DataFrame:
    """The claims with their verdicts; empty where the study makes none."""
    if "claims" in gone:
        return pd.DataFrame(columns=list(CLAIM))
    return page_tables.read(results / "claims.csv", CLAIM).drop_duplicates("claim")


def record(run: str, method: str, seed: int, scale: Scale, results: Path) -> Record:
    """The index line of a run's record."""
    folder = Path("runs") / scale.name / run / f"seed{seed}"
    said = read_record(results / folder, *NEEDED)
    return Record(
        method=method,
        seed=seed,
        folder=folder.as_posix(),
        datasets=", ".join(scale.dataset(name).title for name in said["datasets"]),
        steps=said["steps"],
        minutes=f"{said['seconds'] / 60:.1f}",
        code=said["code"],
        commit=said["commit"] or "",
        sigma=_sigma(said, scale),
        synthetic=said["synthetic"],
    )


def _sigma(said: RunRecord, scale: Scale) -> str:
    if said["settings"]["weighting"] != "uncertainty":
        return ""
    return ", ".join(f"{scale.dataset(name).title} {value:.2f}" for name, value in said["sigma"].items())


def _figures(gone: Mapping[str, str]) -> dict[str, str]:
    """Captions of the figures and of the analyses that draw one, by file."""
    drawn = [*there(FIGURES, "figure_", gone).values()]
    drawn += [each for name, each in ANALYSES.items() if each.category == "Figures" and name not in gone]
    return {each.files[0]: each.caption for each in drawn}


class _Links(HTMLParser):
    """A parser of a page's links to other files."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("href", "src") and value and not value.startswith("#"):
                self.found.append(value)


def links(html: str) -> list[str]:
    """The links of a page to other files, each once, in order."""
    parser = _Links()
    parser.feed(html)
    return list(dict.fromkeys(parser.found))


def _with(cost: dict) -> str:
    return f" with {cost['backbone']}" if "backbone" in cost else ""


def _costs(path: Path) -> list[str]:
    """Table lines of the model sizes and their costs."""
    try:
        return [
            f"{each['size']}{_with(each)}: {each['pixels']} pixels, {each['frames']} frames, "
            f"{each['gflops']:.3g} gFLOPs"
            for each in read_json(path, "`multitrain flops --json`")
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not the costs of models ({error!r}): run `multitrain flops --json` again") from None


def _accuracy(results: Path, name: str, names: dict[str, str]) -> Markup:
    return Markup(page_tables.accuracy(results, name, names, only_ours=True).to_html())


def _dataset(name: str, scale: Scale, results: Path) -> dict:
    """A one-line summary of a dataset's survey."""
    folder = Path("datasets") / scale.name / name
    classes = page_tables.read(results / folder / "classes.csv", ["class", "train", "val", "test"])
    missing = page_tables.read(results / folder / "missing.csv", ["reason", "clips"])
    counts = {split: int(classes[split].sum()) for split in ("train", "val", "test")}
    counts |= {"classes": len(classes), "missing": int(missing["clips"].sum())}
    return {"title": scale.datasets[name].title, "folder": folder.as_posix(), **counts}
