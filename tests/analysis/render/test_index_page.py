"""The index page: every link is there, names are text, and what the verdicts and records say is on it."""

import csv
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from multitrain.analysis.figures import FIGURES
from multitrain.analysis.render.columns import TABLE
from multitrain.analysis.render.index_page import KINDS, links, record, write_index
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_claims, load_experiments
from multitrain.planning.outputs import NOTEBOOKS

NASTY = 'A <script>alert("x")</script> & co'
CONFIG = Path(__file__).parents[3] / "config"
CLAIMS = load_claims(CONFIG, load_experiments(CONFIG))
VERDICTS = ("holds", "does not hold", "undetermined", "holds")


def write(path: Path, rows: list[dict], columns=None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns or list(rows[0]), restval="")
        writer.writeheader()
        writer.writerows(rows)


def run_record(datasets, weighting: str, seed: int) -> dict:
    return {
        **{"datasets": {name: {"classes": 3, "clips": 9} for name in datasets}, "steps": 1234, "seconds": 90},
        **{"settings": {"weighting": weighting}, "sigma": dict.fromkeys(datasets, 0.5), "code": f"c0de{seed}"},
        **{"commit": None, "synthetic": True},
    }


@pytest.fixture
def made(scale, experiments, tmp_path) -> Path:
    """A results folder with everything that the index leads to, for two seeds."""
    for name in experiments.shown_runs():
        run = experiments.run(name)
        for seed in (0, 1):
            folder = tmp_path / "runs" / scale.name / name / f"seed{seed}"
            folder.mkdir(parents=True)
            (folder / "run.json").write_text(json.dumps(run_record(run.datasets, run.weighting, seed)))
            (folder / "history.jsonl").touch()
    cost = {"size": "base", "pixels": 40, "frames": 4, "gflops": 0.1234}
    (tmp_path / "runs" / scale.name / "flops.json").write_text(json.dumps([cost]))
    for name, table in experiments.tables.items():
        top = {key: "75.00" for key in TABLE if re.match(r"top[15]", key) and not key.endswith("_std")}
        top |= {key: "12.34" for key in TABLE if "_projected" in key}
        about = {"scale": scale.name, "synthetic": "yes", "seeds": "0 1", "clips": "4", "gflops": "0.1"}
        rows = [{"source": "published", "method": "Theirs", "dataset": d, "top1": "81.9"} for d in table.datasets]
        rows += [{"source": "ours", "method": NASTY, "dataset": d, **top, **about} for d in table.datasets]
        write(tmp_path / f"{name}.csv", rows, TABLE)
    claims = [
        {
            "claim": f"c{i}",
            "section": "4.2",
            "stated_by": "paper",
            "same_fact_as": "",
            "text": NASTY,
            "claim_verdict": verdict,
        }
        for i, verdict in enumerate(VERDICTS)
    ]
    claims += [{**claims[0], "claim": "again", "same_fact_as": "c0"}, {**claims[0], "claim": "ours", "stated_by": "us"}]
    write(tmp_path / "claims.csv", [{**each, "claim_verdict_projected": ""} for each in claims for _ in range(3)])
    for name in scale.datasets:
        folder = tmp_path / "datasets" / scale.name / name
        counts = [
            {"class": NASTY, "train": 1000, "val": 20, "test": 3},
            {"class": "b", "train": 1, "val": 1, "test": 1},
        ]
        write(folder / "classes.csv", counts)
        write(folder / "missing.csv", [{"reason": "empty", "clips": 7}])
        (folder / "durations.csv").touch()
        (folder / "contact_sheet.jpg").touch()
        (folder.parent / "overview.jpg").touch()
    other = [f"{name}.{kind}" for name in (*experiments.tables, "table4") for kind in KINDS]
    other += [*(f"figures/{name}.png" for name in FIGURES), "errors/confusion.png", "errors/reliability.png"]
    other += [f"notebooks/{name}.{kind}" for name in NOTEBOOKS for kind in ("html", "ipynb")]
    other += ["claims.md", "per_class.csv", "spectrum.csv", "training.parquet", "projections.parquet"]
    other += ["datasets.csv", "datasets.md", "leakage.csv"]
    other += ["report.html", "runs.csv", "deviations.csv", "seeds.csv", "curves.parquet", "measured.csv"]
    for name in [*other, "projection_recovery.md", "projection_recovery.csv"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def index(scale, experiments, made) -> str:
    write_index(scale, experiments, CLAIMS, (0, 1), made)
    return (made / "index.html").read_text()


class Texts(HTMLParser):
    """The texts and elements of a page."""

    def __init__(self, html: str):
        super().__init__()
        self.texts, self.elements = [], []
        self.feed(html)

    def handle_data(self, data):
        self.texts.append(" ".join(data.split()))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))


def test_it_leads_to_everything_and_nowhere_else(index, made, experiments):
    found = set(links(index))
    assert all((made / link).is_file() for link in found)
    files = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert files - found <= {"index.html", f"runs/{'ci'}/flops.json"}
    assert not re.search(r"https?:|//|<script", "".join(found)) and "<script" not in index
    targets = {attributes.get("id") for _, attributes in Texts(index).elements}
    assert set(re.findall(r'href="#(\w+)"', index)) <= targets
    assert links(index)[0] == "report.html"


def test_a_study_of_ones_own_is_no_replication_and_has_no_published_rows(scale, experiments, made, index):
    table = experiments.tables["table1"].model_copy(update={"published": None})
    write_index(scale, experiments.model_copy(update={"tables": {"table1": table}}), CLAIMS, (0, 1), made)
    own = (made / "index.html").read_text()
    for text, page in (("A replication of", index), ("A study by the method of", own)):
        assert text in page and text not in ({index, own} - {page}).pop()
    assert "the published ones" in index and "the published ones" not in own


def test_names_are_text(index):
    assert Texts(index).texts.count(NASTY) == len(VERDICTS) + 2 + 2 * 3  # claims; tables of ours, Y_k and Y'_k


def test_it_says_what_the_results_say(index, experiments, scale):
    said = " ".join(filter(None, Texts(index).texts))
    assert "holds 2, does not hold 1, undetermined 1." in said
    assert "The videos are synthetic." in said
    assert ("Smoke test: no number here means anything." in said) == scale.smoke_test
    assert "2 versions of the numerical code" in said and "c0de0" in said and "c0de1" in said
    assert "base: 40 pixels, 4 frames, 0.123 gFLOPs" in said
    assert said.count("1,234") == 2 * len(experiments.shown_runs())
    assert said.count("1,001 21 4 7") == len(scale.datasets)
    assert "75.0 / 75.0" in said and "12.3 / 12.3" in said and "81.9" not in said


def test_sigma_is_shown_where_it_is_learned(scale, made):
    assert record("multitrain", "MultiTrain", 0, scale, made).sigma == "K400 0.50, MiT 0.50, SSv2 0.50, ActNet 0.50"
    assert record("vanilla", "Vanilla", 0, scale, made).sigma == ""


def test_it_is_the_same_every_time_and_for_readers_of_every_kind(index, scale, experiments, made):
    write_index(scale, experiments, CLAIMS, (0, 1), made)
    assert (made / "index.html").read_text() == index
    elements = Texts(index).elements
    assert ("html", {"lang": "en"}) in elements
    assert all(attributes.get("alt") for tag, attributes in elements if tag == "img")
    levels = [int(tag[1]) for tag, _ in elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize(
    "name", ["figures/cost.png", "table4.tex", "notebooks/table1.html", "runs/ci/vanilla/seed1/history.jsonl"]
)
def test_what_is_not_there_is_named(scale, experiments, made, name):
    (made / name).unlink()
    with pytest.raises(UserError, match=f"{re.escape(name)}: not there.*snakemake"):
        write_index(scale, experiments, CLAIMS, (0, 1), made)
    assert not (made / "index.html").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("claims.csv", None, "claims.csv: no such file"),
        ("claims.csv", "claim,text\n", "claims.csv: no column 'section'"),
        ("table1.csv", "source\nours\n", "table1.csv: no column 'method'"),
        ("runs/ci/vanilla/seed0/run.json", "{}", "run.json: not the record of a run .synthetic: "),
        ("runs/ci/vanilla/seed0/run.json", "[", "run.json: not valid JSON"),
        ("runs/ci/flops.json", "[{}]", "flops.json: not the costs"),
        (
            "datasets/ci/mit/classes.csv",
            "class,train,val,test\na,x,1,1\n",
            "classes.csv: row 1: train is 'x', not a number",
        ),
    ],
)
def test_what_is_damaged_is_named(scale, experiments, made, name, content, message):
    (made / name).unlink()
    if content is not None:
        (made / name).write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        write_index(scale, experiments, CLAIMS, (0, 1), made)
    assert "\n" not in str(caught.value)


def test_a_number_that_is_none_is_named(scale, experiments, made):
    path = made / "table2.csv"
    path.write_text(path.read_text().replace("75.00", "much"))
    with pytest.raises(UserError, match=r"table2.csv: not a table of this version"):
        write_index(scale, experiments, CLAIMS, (0, 1), made)
