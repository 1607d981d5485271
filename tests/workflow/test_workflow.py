"""The workflow as its user meets it: what it plans, what it runs again after which change, how it refuses."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from multitrain.planning.outputs import FIGURES
from tests.workflow.planned import PARTS, job_counts, snakemake
from tests.workflow.test_your_backbone import COPIES, with_own_runs

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS = 600  # after which a process that hangs is ended
DATASETS = ("k400", "mit", "ssv2", "actnet")

pytestmark = pytest.mark.xdist_group("workflow")  # one process, so that the project is made once


def copy_of_project(folder: Path) -> Path:
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project in which every job has run, as far as Snakemake knows; no test changes it."""
    folder = copy_of_project(tmp_path_factory.mktemp("project"))
    listed = snakemake(folder, "--summary")
    assert listed.returncode == 0, listed.stderr
    for line in listed.stdout.splitlines()[1:]:
        output = folder / line.split("\t")[0]
        output.parent.mkdir(parents=True, exist_ok=True)
        output.mkdir() if output.name.endswith("_on") else output.touch()  # the one folder that a rule declares
    touched = snakemake(folder, "--touch", "--forceall", "--cores", "1", "--quiet", "all")
    assert touched.returncode == 0, touched.stderr
    return folder


@pytest.fixture
def edit(project: Path):
    """A function that edits a file of the project; afterwards the file is as before, its time included."""
    kept: dict[Path, Path] = {}

    def change(name: str, old: str, new: str) -> None:
        path = project / name
        kept[path] = path.with_suffix(".kept")
        shutil.copy2(path, kept[path])
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    yield change
    for path, copy in kept.items():
        shutil.move(copy, path)


def to_run_again(folder: Path) -> set[str]:
    """Every job that Snakemake would run now, e.g. `train multitrain` or `evaluate multitrain on mit`."""
    listed = snakemake(folder, "--summary")
    assert listed.returncode == 0, listed.stderr
    rows = [line.split("\t") for line in listed.stdout.splitlines()[1:]]
    return {job(rule, Path(output)) for output, _, rule, _, _, plan in rows if plan != "no update"}


def job(rule: str, output: Path) -> str:
    names = {
        "synth": output.parts[2:3],
        "prepare": output.parts[2:3],
        "train": output.parts[3:4],
        "evaluate": (*output.parts[3:4], "on", output.stem),
        "table": [output.stem],
        "survey": output.parts[3:4],
        "notebook": [output.stem],
    }
    return " ".join([rule, *names.get(rule, [])])


def test_changed_numerical_code_or_environment_runs_nothing_again(project: Path, edit):
    edit("multitrain/engine/train.py", "\n", "\n# a remark\n")
    edit("multitrain/model/backbones/mvit.py", "\n", "\n# a remark\n")
    edit("environment.yml", "- pip\n", "- pip>=23\n")
    assert to_run_again(project) == set()


@pytest.mark.parametrize("machine", ["{ gpus: 2, workers: 3 }", "{ nodes: 2, gpus: 1, compile: true }"])
def test_another_machine_trains_nothing_again(project: Path, edit, machine: str):
    edit("config/scales/mini.yaml", "machine: { cache_mb: 300 }", f"machine: {machine}")
    assert to_run_again(project) == set()


def costly(jobs: set[str]) -> set[str]:
    """Those of the jobs that take more than seconds."""
    return {job for job in jobs if job.split(" ")[0] in ("synth", "prepare", "train", "evaluate")}


TABLES = {"table table1", "table table2", "table table3"}
ANALYSES = {"claims", "class_means", "classes", "evidence", "projections", "recovery", "spectrum", "table4", "training"}
ANALYSES |= {"study_records", "confusion", "reliability"}


def test_a_changed_run_runs_again_with_what_depends_on_it(project: Path, edit):
    edit("config/experiments.yaml", "mit_baseline: {", "mit_baseline: { informative: true,")
    again = to_run_again(project)
    assert costly(again) == {"train mit_baseline", "evaluate mit_baseline on mit"}
    assert again >= TABLES | {"claims", "classes", "figure_accuracy", "notebook table1", "index"}


def test_copies_of_runs_on_another_backbone_are_trained_alone(project: Path, edit):
    text = (project / "config/experiments.yaml").read_text()
    edit("config/experiments.yaml", text, with_own_runs(text).replace("two_layers:two_layers", "cnn3d"))
    joint = COPIES["multitrain"]
    trained = {f"train {copy}" for copy in COPIES.values()}
    assert costly(to_run_again(project)) == trained | {f"evaluate {joint} on {name}" for name in DATASETS}


def test_a_changed_layout_prepares_its_dataset_again_and_what_reads_it(project: Path, edit):
    edit("config/scales/mini.yaml", "clip_seconds: 3", "clip_seconds: 4")  # actnet's
    again = to_run_again(project)
    joint = ("multitrain", "multitrain_large", "vanilla", "vanilla_long", "wo_projection")
    assert again >= {f"evaluate {run} on {name}" for run in joint for name in DATASETS}
    assert again >= {"prepare actnet", "train actnet_baseline", "evaluate actnet_baseline on actnet", "table table2"}
    assert "train mit_longer" in again  # its number of steps depends on actnet's clips
    untouched = ("k400_baseline", "mit_baseline", "ssv2_baseline", "k700_baseline", "wo_actnet")
    assert not {f"train {name}" for name in untouched} & again
    assert {job for job in again if job.startswith(("prepare", "synth", "survey"))} == {
        "prepare actnet",
        "survey actnet",
    }


def test_a_changed_title_writes_its_table_again_and_what_shows_it(project: Path, edit):
    edit("config/experiments.yaml", 'title: "', 'title: "A ')  # of table1
    again = to_run_again(project)
    assert "table table1" in again and not costly(again)
    assert not again & (ANALYSES | {"table table2", "table table3", "figure_accuracy_k700", "notebook training"})


@dataclass(frozen=True)
class Planned:
    """One output of a job, and all the inputs."""

    name: str
    inputs: frozenset[str]
    output: str


@pytest.fixture(scope="module")
def planned(project: Path) -> list[Planned]:
    """Every output of the workflow."""
    listed = snakemake(project, "--detailed-summary")
    assert listed.returncode == 0, listed.stderr
    rows = [line.split("\t") for line in listed.stdout.splitlines()[1:]]
    assert len(rows) > 200
    return [Planned(job(row[2], Path(row[0])), frozenset(row[4].split(",")), row[0]) for row in rows]


@pytest.fixture(scope="module")
def imported(project: Path) -> dict[str, set[str]]:
    """For each module that a cheap job runs or starts from, the files that Python itself loads for it."""
    script = """
import importlib, json, sys
found = {}
for name in sys.argv[1:]:
    for module in [module for module in sys.modules if module.split(".")[0] == "multitrain"]:
        del sys.modules[module]
    importlib.import_module(f"multitrain.{name}")
    found[name] = [m.__file__ for key, m in sys.modules.items() if key.split(".")[0] == "multitrain"]
print(json.dumps(found))
"""
    package = project / "multitrain"
    names = {".".join(path.relative_to(package).with_suffix("").parts) for path in package.glob("analysis/**/*.py")}
    names = {name.removesuffix(".__init__") for name in names if not name.startswith("analysis.cost")}  # torch
    command = [sys.executable, "-c", script, RESULTS, DATA, *sorted(names)]
    listed = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=SECONDS)
    assert listed.returncode == 0, listed.stderr
    return {
        name: {Path(file).relative_to(project).as_posix() for file in files}
        for name, files in json.loads(listed.stdout).items()
    }


RESULTS, DATA = "cli.commands.result_commands", "cli.commands.data_commands"  # modules of the commands
STARTS = {
    "table": "tables.paper_tables",
    "table4": "tables.table4",
    "class_means": "projections.class_map",
    "projections": "projections.projection_weights",
    "recovery": "projections.relation_recovery",
    "classes": "accuracy.per_class_accuracy",
    "spectrum": "accuracy.embedding_spectrum",
    "training": "study.loss_histories",
    **dict.fromkeys(("confusion", "reliability"), "single_run.main_run"),
    "study_records": "study.study_tables",
    "evidence": "claims.evidence.evidence_table",
    "claims": "claims.claim_verdicts",
    "survey": "datasets.survey",
    "overview": "datasets.contact_sheet",
    "accounting": "datasets.accounting",
    "index": "render.index_page",
    "card": "render.world_card",
}
PROJECTIONS = {"projections": "heat_maps", "projection_graph": "class_graph", "recovery": "average_precision"}
NOT_CODE = ("all", "datasets", "synth", "prepare", "train", "evaluate", "features", "flops", "networks")
NOT_CODE += ("temporal", "related")


def starts(name: str, project: Path) -> list[str]:
    """The modules that a cheap job starts from, said apart from how the workflow finds them."""
    rule, _, what = name.replace("report_page", "notebook report").partition(" ")
    if rule.startswith("figure_"):
        return [RESULTS, "analysis.figures", figure(rule[7:])]
    if rule != "notebook":
        return [DATA if rule == "accounting" else RESULTS, f"analysis.{STARTS[rule]}"]
    text = (project / f"notebooks/{what}.ipynb").read_text()
    drawn = sorted(set(re.findall(r'page_tables\.draw\(root, \\"(\w+)\\"\)', text)))
    lines = re.findall(r"from multitrain\.(analysis[\w.]*) import ([\w, ]+)", text)
    modules = [f"{package}.{name}" for package, names in lines for name in names.split(", ")]
    return [RESULTS, "analysis.render.notebook_pages", *modules, *map(figure, drawn)]


def figure(name: str) -> str:
    """The module of a figure."""
    name = name.removesuffix("_k700")
    return f"analysis.figures.projections.{PROJECTIONS[name]}" if name in PROJECTIONS else f"analysis.figures.{name}"


def test_a_cheap_job_depends_on_the_code_that_python_loads_for_it_and_on_no_other(project, planned, imported):
    for each in planned:
        code = {name for name in each.inputs if name.startswith("multitrain/") and name.endswith(".py")}
        if each.name.split(" ")[0] in NOT_CODE:
            assert not code, each.name
        else:
            loaded = set().union(*(imported[module] for module in starts(each.name, project)))
            assert code == loaded, each.name


def dependants(planned: list[Planned], changed: str) -> set[str]:
    """The jobs that read a file, and those that read what these write."""
    found: set[str] = set()
    files = {changed}
    while more := {each for each in planned if each.inputs & files and each.name not in found}:
        found |= {each.name for each in more}
        files |= {each.output for each in planned if each.name in found}
    return found


@pytest.mark.parametrize(
    "name",
    [
        "multitrain/analysis/projections/ranking.py",
        "multitrain/analysis/figures/spectrum.py",
        "multitrain/analysis/render/templates/notebook/index.html.j2",
        "multitrain/config/claims.py",
    ],
)
def test_changed_code_runs_exactly_what_depends_on_it(project: Path, edit, planned, name: str):
    edit(name, "\n", "\n\n")
    again = to_run_again(project)
    assert again and not costly(again)
    assert again == dependants(planned, name) - {"all"}


def test_a_changed_claim_is_decided_again_alone(project: Path, edit):
    edit("config/claims.yaml", "left_factor: 0.5", "left_factor: 0.6")
    again = to_run_again(project)
    assert "claims" in again and not costly(again)
    assert not again & (TABLES | (ANALYSES - {"claims"}) | {"notebook table4", "notebook training"})


def test_a_changed_caption_runs_what_shows_it(project: Path, edit):
    edit("workflow/report/table.rst", "Table 2", "The second table")  # of Snakemake's report alone
    assert to_run_again(project) == set()
    edit("multitrain/planning/outputs/drawn.py", "Top-1 of", "Accuracy of")  # in notebooks and the index as well
    again = to_run_again(project)
    shown = ("figure_", "confusion", "reliability", "notebook", "report", "index")
    assert again and all(name.split(" ")[0].startswith(shown) for name in again)


def test_a_changed_notebook_is_executed_again_alone(project: Path, edit):
    edit("notebooks/training.ipynb", "\n", "\n ")
    assert to_run_again(project) <= {"notebook training", "index", "all"}


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("mini", {"synth": 5, "prepare": 5, "train": 22, "evaluate": 51, "temporal": 5, "related": 5, "card": 1}),
        ("ci", {"synth": 5, "prepare": 5, "train": 44, "evaluate": 102, "temporal": 10, "related": 10, "card": 1}),
        ("paper", {"prepare": 5, "train": 22, "evaluate": 51}),
    ],
)
def test_each_scale_is_planned_without_data(tmp_path: Path, scale: str, expected: dict[str, int]):
    folder = copy_of_project(tmp_path)
    seeds = ["seeds=[0,1]"] if scale == "ci" else []
    planned = snakemake(
        folder, "-n", "-p", "--config", f"scale={scale}", *seeds, "data=./elsewhere", "results=its own/"
    )
    found = job_counts(planned)
    cheap = {
        "flops": 1,
        "networks": 1,
        "table": 3,
        "survey": 5,
        "overview": 1,
        "accounting": 1,
        "notebook": len(NOTEBOOKS) - 1,
        "report_page": 1,
        "index": 1,
        "features": 4,
        "all": 1,
    }
    figures = {f"figure_{name}": 1 for name in FIGURES}
    assert found == expected | cheap | figures | dict.fromkeys(ANALYSES, 1)
    assert planned.stdout.count(" --smoke-test ") == (len(figures) + len(NOTEBOOKS) if scale == "ci" else 0)
    assert f"elsewhere/{scale}/k700/manifest.parquet" in planned.stdout
    assert f"its own/runs/{scale}/multitrain_large/seed0/model.pt" in planned.stdout


def test_the_machine_of_the_command_line_and_event_files_reach_every_training(project: Path):
    given = "mini,machine.precision=bf16,machine.workers=2"
    config = ["--config", f"scale={given}", "tensorboard=true", "data=none", "results=none"]
    planned = snakemake(project, "-n", "-p", *config, "--", "none/table1.csv")
    assert planned.returncode == 0, planned.stderr
    starts = [line for line in planned.stdout.splitlines() if "multitrain.cli train" in line]
    assert starts and all(" --workers 2 --tensorboard --wait" in line for line in starts)
    assert all(f"--scale {given} " in line for line in starts)


@pytest.mark.parametrize("scale", ["ci", "paper"])
def test_the_profile_for_slurm_plans_each_scale(project: Path, scale: str):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    planned = snakemake(project, "-n", "--profile", "slurm", "--config", f"scale={scale}", "--quiet", "rules")
    assert planned.returncode == 0, planned.stderr


def test_the_profile_names_rules_that_exist_and_the_executors_own_keys():
    profile = yaml.safe_load((ROOT / "slurm/config.yaml").read_text())
    written = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert set(profile["set-resources"]) <= set(re.findall(r"^(?:rule|checkpoint) (\w+):", written, re.M))
    keys = {"slurm_partition", "slurm_account", "mem_mb", "runtime", "gpu", "gres", "qos", "slurm_extra"}
    assert set(profile["default-resources"]).union(*profile["set-resources"].values()) <= keys
    assert profile["executor"] == "slurm" and profile["slurm-status-command"] == "squeue"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scle=mini"], "config/config.yaml or --config: scle: no such key (its value is 'mini'): did you mean scale?"),
        (["seeds=3"], "config/config.yaml or --config: seeds: seeds are a list of different whole numbers from 0 on"),
        (
            ["scale=huge"],
            "config/scales/huge.yaml: no such file; in that folder there are: ci, desk, gpu, lab, mini, paper",
        ),
    ],
)
def test_a_wrong_setting_is_one_message(tmp_path: Path, arguments: list[str], message: str):
    refused = snakemake(copy_of_project(tmp_path), "-n", "--config", *arguments)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith(message)
    assert "Traceback" not in refused.stderr


def test_tables_of_another_scale_are_not_written_over(project: Path, edit):
    edit("results/table1.csv", "", "source,scale\nours,mini\n")
    config = ["--config", "scale=ci"]
    assert snakemake(project, "-n", "results/table1.csv", *config).returncode == 0  # a plan writes nothing
    refused = snakemake(project, "results/table1.csv", "--cores", "1", *config)
    assert refused.returncode == 1
    assert "results/table1.csv: of scale mini, and scale ci would be written over it" in refused.stderr
    assert (project / "results/table1.csv").read_text() == "source,scale\nours,mini\n"
    assert not (project / "data/ci").exists() and "Traceback" not in refused.stderr


def test_a_key_that_comes_twice_is_one_message(project: Path, edit):
    edit("config/config.yaml", "seeds:", "scale: ci\nseeds:")
    refused = snakemake(project, "-n")
    assert refused.returncode == 1
    message = "config/config.yaml: not valid YAML: line 3, column 1: the key scale comes twice: leave one\n"
    assert refused.stderr == message


def test_a_misspelt_key_of_a_run_is_one_message(project: Path, edit):
    edit("config/experiments.yaml", "informative", "informativ")
    refused = snakemake(project, "-n")
    assert refused.returncode == 1
    assert refused.stderr.startswith("config/experiments.yaml: runs.multitrain.informativ: no such key")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.slow  # a plan for each
def test_the_commands_of_the_guides_are_planned(tmp_path: Path):
    folder = copy_of_project(tmp_path)
    pages = [
        ROOT / "README.md",
        *(ROOT / "docs/guides" / name for name in ("run.md", "change-runs.md", "real-data.md")),
    ]
    lines = [line for page in pages for line in re.findall(r"^snakemake ([^#\n]+)", page.read_text(), re.M)]
    planned = [line for line in lines if "--report" not in line]  # which plans nothing; CI makes one
    assert len(planned) >= 7
    for line in planned:
        answer = snakemake(folder, "-n", *shlex.split(line))
        assert answer.returncode == 0, f"{line}: {answer.stderr}"
        assert "k400_baseline/seed0/predictions/k400.parquet" in answer.stdout
