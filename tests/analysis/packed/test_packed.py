"""A packed study gives what the run folders give, byte for byte; it travels and joins others of its kind."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from multitrain.analysis.packed.packed_study import Key, Study, read_study
from multitrain.analysis.packed.unpack import unpack
from multitrain.analysis.render.index_page import links
from multitrain.cli.commands import packed_commands, result_commands
from multitrain.common.records.history import MOST
from multitrain.config.config_files import load_claims
from multitrain.planning.outputs import ANALYSES, FIGURES
from tests.analysis.packed.made import CLIPS, CONFIG, PUBLISHED, SCALE, SHIPPED, make, pack

READERS = ["projections", "classes", "spectrum", "training", "class_means", "study"]  # quick


def analysed(root: Path, config: Path, analyses: Iterable[str], tables: tuple[str, ...]) -> dict[str, bytes]:
    """What the workflow's rules make of the runs in a folder."""
    common = {"scale": "ci", "seed": [0, 1], "config": config, "results": root, "published": PUBLISHED}
    for name in analyses:
        result_commands.analyse(name, data=root / "data", **common)
    for name in tables:
        result_commands.table(name, **common)
    return files(root)


def files(root: Path) -> dict[str, bytes]:
    """Everything that was made, by its path."""
    made = [*root.glob("*.*"), *root.glob("figures/*")]
    return {str(path.relative_to(root)): path.read_bytes() for path in made}


def test_what_reads_runs_reads_the_same_from_a_packed_study(folders, packed, tmp_path, config):
    out = tmp_path / "out"
    unpack(read_study(packed), out, SCALE)
    tables = ("table1", "table2", "table4")
    expected = analysed(folders, config, READERS, tables)
    found = analysed(out, out / "config", READERS, tables)
    assert found == expected and {"spectrum.csv", "table1.csv", "datasets.csv"} < set(found)
    assert not list(out.rglob("model.pt"))


@pytest.mark.slow
def test_rendered_is_byte_for_byte_what_the_workflow_makes(tmp_path):
    folders, out = make(tmp_path / "folders", 0, 1, of=SHIPPED), tmp_path / "out"
    shutil.rmtree(folders / "runs/ci/vanilla/seed1")
    packed = pack(folders, CONFIG, tmp_path / "study.parquet")
    analysed(folders, CONFIG, ANALYSES, (*SHIPPED.tables, "table4"))
    for name in FIGURES:
        result_commands.figure(name, results=folders, smoke_test=True)
    result_commands.notebook(CONFIG.parent / "notebooks" / "report.ipynb", "ci", folders, smoke_test=True)
    packed_commands.render(packed, out, published=PUBLISHED)
    assert files(out) == files(folders) and len(files(out)) > 30
    assert "Vanilla seeds 0 of 0-1" in (out / "table3.md").read_text()
    require_alone((out / "report.html").read_text())


def require_alone(html: str) -> None:
    """The report is one file that says what its study lacks, without code, or anything from elsewhere."""
    assert {link.partition(":")[0] for link in links(html)} == {"data"} and not re.search("https?://", html)
    assert "<script" not in html and "<details" not in html
    said = html.index("Smoke test: no number here means anything.")
    assert said < html.index("<h1") and "<b>Seeds missing</b>: Vanilla: seeds 0 of 0-1." in html
    assert html.count("<img") >= 4 and html.count('class="unconfined"') == 3


def test_a_study_packed_again_from_what_was_unpacked_is_the_same_file(packed, tmp_path):
    unpack(read_study(packed), tmp_path / "out", SCALE)
    again = pack(tmp_path / "out", tmp_path / "out" / "config", tmp_path / "again.parquet")
    assert again.read_bytes() == packed.read_bytes()


def test_claims_that_were_packed_with_former_keys_are_read(tmp_path):
    text = (CONFIG / "claims.yaml").read_text()
    former = text
    for key, name in (("evidence_claims", "answered"), ("left_factor", "times"), ("right_offset", "plus")):
        former = re.sub(rf"^( *){key}:", rf"\1{name}:", former, flags=re.M)
    assert {"answered", "times", "plus"} <= set(re.findall(r"^ *(\w+):", former, re.M))
    for name, packed in (("former", former), ("present", text)):
        unpack(Study(tmp_path, "ci", texts={Key(name="config/claims.yaml"): packed}), tmp_path / name, SCALE)
        assert load_claims(tmp_path / name / "config", SHIPPED) == load_claims(CONFIG, SHIPPED)
    assert (tmp_path / "present/config/claims.yaml").read_text() == text


def test_pandas_reads_the_answers(packed, study):
    table = pq.read_table(packed, filters=[("kind", "=", "answer")]).to_pandas()
    assert set(table["scale"]) == {"ci"}
    runs = table.groupby(["run", "seed", "dataset"])
    assert len(runs) == 2 * (3 + 2 * 3) and (runs.size() == CLIPS).all()
    its = runs.get_group(("multitrain", 1, "mit"))
    folder = study / "runs/ci/multitrain/seed1/predictions"
    found = pq.read_table(folder / "mit.parquet").to_pandas()
    assert its["video"].to_list() == found["video_id"].to_list() and its["clip"].to_list() == found["clip_id"].to_list()
    for rank, top5, scores in (("rank", "top5", "scores"), ("rank_projected", "top5_projected", "scores_projected")):
        for clip, own in enumerate(found[scores]):
            label = found["label"][clip]
            assert its[rank].iloc[clip] == sum(own >= own[label]) - 1
            assert [own[best] for best in its[top5].iloc[clip]] == sorted(own, reverse=True)[:5]
    assert runs.get_group(("k400_baseline", 0, "k400"))["rank_projected"].isna().all()
    history = pq.read_table(packed, filters=[("name", "=", "history.total"), ("run", "=", "multitrain")])
    assert {len(values) for values in history["values"].to_pylist()} <= set(range(2, MOST + 1))


def test_seeds_and_runs_of_two_machines_become_the_file_of_one(study, packed, config, tmp_path):
    one, two = (make(tmp_path / name, seed) for name, seed in (("one", 0), ("two", 1)))
    first = pack(one, config, tmp_path / "first.parquet")
    assert pack(two, config, tmp_path / "both.parquet", first).read_bytes() == packed.read_bytes()
    some = make(tmp_path / "some", 0, 1, runs=("multitrain", "mit_baseline"))
    some = pack(some, config, tmp_path / "some.parquet", partial=True)
    rest = tuple(run for run in read_runs(packed) if run not in ("multitrain", "mit_baseline"))
    others = make(tmp_path / "others", 0, 1, runs=rest)
    assert pack(others, config, tmp_path / "joined.parquet", some).read_bytes() == packed.read_bytes()
    nothing = tmp_path / "nothing"
    files = (first, pack(two, config, tmp_path / "second.parquet"))
    joined = pack(nothing, config, tmp_path / "of-files.parquet", *files)
    assert joined.read_bytes() == packed.read_bytes()


def read_runs(path: Path) -> list[str]:
    return sorted({run for run, _ in read_study(path).records()})


def test_a_study_may_be_packed_of_some_seeds(study, config, tmp_path):
    assert read_study(pack(study, config, tmp_path / "one.parquet", seed=[1])).seeds() == (1,)
