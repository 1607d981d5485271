"""A study in one file: datasets, recipes, runs, tables and claims; what the file leaves out comes from a base.

A file with the key `extends` is a study. The base is a scale of config/scales together with config/experiments.yaml and
config/claims.yaml, or another study. `load_scale`, `load_experiments` and `load_claims` take the file in the place of
the folder of the configuration.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from multitrain.common.errors import UserError, did_you_mean
from multitrain.common.files.yaml_files import extended, read_yaml
from multitrain.config.base import Name, Settings
from multitrain.config.config_messages import explain
from multitrain.config.scale import Project

__all__ = ["Study", "StudyFile", "is_study", "read_study"]

Entry = dict[str, Any]
Entries = dict[Name, Entry]
SUFFIXES = (".yaml", ".yml")
PREPARED_LIKE = ("transcode", "sampling", "views", "clip_seconds")  # what `like` takes from another dataset
EXPERIMENTS = ("runs", "tables", "projections")
CLAIMS = ("paper", "margin", "claims", "evidence_claims", "not_tested")
RESULTS = "results"  # the default folder, in which a study has one of its own


class StudyFile(Settings):
    """A whole study in one file; what it leaves out comes from its base.

    An entry of `datasets`, `recipes`, `runs`, `tables` or `claims` may have the key `extends: NAME`: it starts from the
    entry of that name, of this file or of the base. A dataset may have `like: NAME`: transcoding, sampling, views and
    clip length of that dataset; by default those of the base's first.
    """

    extends: str = Field(description="the base: a scale of config/scales, or the path of a study or scale file")
    datasets: Entries | None = Field(None, description="these and no others, if runs use them; left out: the base's")
    model: Entry = Field({}, description="keys that differ from the base's model")
    sizes: Entry = Field({}, description="sizes that differ from the base's")
    recipes: Entries = Field({}, description="recipes beside the base's, or in place of those of the same name")
    machine: Entry = Field({}, description="keys that differ from the base's machine")
    world: Entry | None = Field(None, description="keys that differ from the base's synthetic world")
    clips_of: Name | None = Field(
        None, description="scale of config/scales whose prepared clips it takes: its world and datasets are the same"
    )
    remark: str = Field("", description="what a reader of the tables has to know")
    smoke_test: bool | None = Field(None, description="no number means anything, as every table says; null: the base's")
    runs: Entries | None = Field(None, description="these and no others; left out: the base's on these datasets")
    tables: Entries | None = Field(None, description="these and no others; left out: the base's of these runs")
    projections: Entry | None = Field(
        None,
        description="table4, of the largest projection weights; left out: the base's, if its runs are there",
    )
    claims: Entries | None = Field(
        None,
        description="claims about the tables; left out: the base's, where the tables are the base's",
    )
    evidence_claims: Entries | None = Field(None, description="claims that other records than accuracies answer")
    margin: float | None = Field(None, description="points: methods that are closer are equivalent; null: the base's")
    seeds: Any = Field(None, description="as in config.yaml")
    exclude_leaks: Any = Field(None, description="as in config.yaml")
    pretrained: Any = Field(None, description="as in config.yaml")
    tensorboard: Any = Field(None, description="as in config.yaml")
    data: Any = Field(None, description="folder of prepared clips, as in config.yaml")
    results: Any = Field(None, description="folder of runs and tables; by default results/NAME of NAME.yaml")


@dataclass(frozen=True)
class Study:
    """The content of a study file with that of its base, as the files of a configuration folder have it."""

    path: Path
    file: StudyFile
    scale: Entry
    experiments: Entry
    claims: Entry

    @property
    def name(self) -> str:
        """The file's name: that of folders of clips and runs."""
        return self.path.stem

    @property
    def project(self) -> Entry:
        """The keys of config.yaml that the file has, and its folder of results."""
        own = self.file.model_dump(include=set(Project.model_fields), exclude_none=True)
        return {RESULTS: f"{RESULTS}/{self.name}", **own}

    def as_folder(self) -> dict[str, str]:
        """The same settings as the files of a configuration folder, by path."""
        contents = {
            f"scales/{self.name}.yaml": self.scale,
            "experiments.yaml": {**self.experiments, "recipes_by_name": False},
            "claims.yaml": self.claims,
        }
        return {
            path: yaml.dump(its, Dumper=_Plain, sort_keys=False, allow_unicode=True) for path, its in contents.items()
        }

    def project_values(self, values: Entry, given: Collection[str]) -> Entry:
        """`values`, the content of config.yaml, with the file's keys; `given` are keys of the command line.

        Raises:
            UserError: the command line changes a key that only the file can have, as commands read the file itself.
        """
        if "scale" in given:
            raise UserError(f"--config scale: {self.path} is a study, which names its base as `extends`: set it there")
        in_file = self.file.model_dump(exclude_unset=True)
        only_in_file = StudyFile.model_fields.keys() - Project.model_fields.keys()
        for key in only_in_file & set(given):
            if key not in in_file or values[key] != in_file[key]:
                raise UserError(f"--config {key}: set it in {self.path}, which every command reads")
        kept = {key: value for key, value in values.items() if key not in only_in_file}
        return kept | {key: value for key, value in self.project.items() if key not in given} | {"scale": self.name}


class _Plain(yaml.SafeDumper):
    """YAML without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def is_study(path: Path | str) -> bool:
    """Whether a path is that of a study: a YAML file, that lies in no folder of scales or has the key `extends`."""
    path = Path(path)
    if path.suffix not in SUFFIXES or not path.is_file():
        return False
    content = read_yaml(path)
    return isinstance(content, dict) and "extends" in content


def read_study(path: Path | str, config: Path | str = "config") -> Study:
    """The study of a file; `config` is the folder with the scales that a base can be.

    Raises:
        UserError: a mistake in the file that shows before its entries are read: an unknown key, base or entry.
    """
    return _read(Path(path), Path(config), ())


def _read(path: Path, config: Path, seen: tuple[Path, ...]) -> Study:
    if path.resolve() in seen:
        raise UserError(f"{path}: extends: goes in a circle: name another base")
    try:
        file = StudyFile.model_validate(content := read_yaml(path))
    except ValidationError as error:
        raise explain(error, StudyFile, path) from None
    assert isinstance(content, dict)  # as the class has seen to
    base = _base(path, file.extends, config, (*seen, path.resolve()))
    scales = {each.stem for each in (config / "scales").glob("*.yaml")}
    if path.stem in scales:
        raise UserError(f"{path}: a scale of {config}/scales is called {path.stem} too: rename the file")
    experiments = _experiments(path, file, base)
    scale = _scale(path, file, base, experiments["runs"])
    if file.clips_of is not None:
        _require_same_clips(path, scale, _mapping(_scale_file(path, "clips_of", file.clips_of, config)))
    return Study(path, file, scale, experiments, _claims(path, file, base, experiments["tables"]))


def _base(path: Path, name: str, config: Path, seen: tuple[Path, ...]) -> Study:
    """The base; a run for which its scale has a recipe of the same name has that recipe, as `load_experiments` says."""
    file = (path.parent / name) if Path(name).suffix in SUFFIXES else None
    if file is None or not file.is_file():
        file = _scale_file(path, "extends", name, config, ", or give the path of a file")
    if is_study(file):
        return _read(file, config, seen)
    scale, folder = _mapping(file), config if file.parent == config / "scales" else file.parent.parent
    experiments = _mapping(folder / "experiments.yaml")
    recipes = scale.get("recipes", {}) if experiments.get("recipes_by_name", True) else {}
    runs = {key: run | ({"recipe": key} if key in recipes else {}) for key, run in experiments["runs"].items()}
    return Study(file, StudyFile(extends=name), scale, experiments | {"runs": runs}, _mapping(folder / "claims.yaml"))


def _scale_file(path: Path, key: str, name: str, config: Path, more: str = "") -> Path:
    """The file of the scale of `config` that a key of a study names."""
    file = config / "scales" / f"{name}.yaml"
    if not file.is_file():
        if not file.parent.is_dir():
            raise UserError(f"{path}: {key}: no folder {file.parent} for {name!r}: start in the repository's folder")
        there = sorted(each.stem for each in (config / "scales").glob("*.yaml"))
        kind = "base" if key == "extends" else "scale"
        raise UserError(f"{path}: {key}: no {kind} {name!r}: {did_you_mean(name, there)}{more}")
    return file


def _mapping(path: Path) -> Entry:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: should be keys with values (KEY: VALUE)")
    return content


def _scale(path: Path, file: StudyFile, base: Study, runs: Entries) -> Entry:
    """The content of a scale's file, with the datasets that some run uses."""
    of_base = base.scale
    changed = {key: {**of_base.get(key, {}), **getattr(file, key)} for key in ("model", "sizes", "machine")}
    recipes = {**of_base["recipes"], **extended(path, "recipes", file.recipes, of_base["recipes"])}
    scale = {
        **of_base,
        **changed,
        "recipes": recipes,
        "name": path.stem,
        "remark": file.remark,
        "clips_of": file.clips_of,
    }
    if file.smoke_test is not None:
        scale["smoke_test"] = file.smoke_test
    if file.datasets is None:
        scale["remark"] = file.remark or of_base.get("remark", "")
    else:
        scale["datasets"] = _datasets(path, file.datasets, of_base["datasets"])
    used = {name for run in runs.values() for name in run.get("datasets", ())}
    if used and used <= scale["datasets"].keys():
        scale["datasets"] = {name: entry for name, entry in scale["datasets"].items() if name in used}
    world = {**(of_base.get("world") or {}), **(file.world or {})}
    made = [name for name, entry in scale["datasets"].items() if entry.get("raw") is None]
    world["videos"] = {name: entry for name, entry in world.get("videos", {}).items() if name in made}
    scale["world"] = world if world["videos"] else None
    return scale


def _require_same_clips(path: Path, scale: Entry, other: Entry) -> None:
    """Raise a UserError for the first setting that makes other clips than those of the scale `other`."""
    worlds = [each.get("world") or {} for each in (scale, other)]
    made, others = (world.get("videos", {}) for world in worlds)
    pairs = [("world", [{**world, "videos": None} for world in worlds])]
    pairs += [(f"datasets.{name}", [its, other["datasets"].get(name)]) for name, its in scale["datasets"].items()]
    pairs += [(f"world.videos.{name}", [its, others.get(name)]) for name, its in made.items()]
    for key, (ours, theirs) in pairs:
        if ours != theirs:
            raise UserError(f"{path}: clips_of: {key} is not that of scale {other['name']}: take out one of the two")


def _datasets(path: Path, own: Entries, of_base: Entries) -> Entries:
    """The datasets of the file, prepared and sampled like one of the base unless they say how."""
    datasets = extended(path, "datasets", own, of_base)
    for name, entry in datasets.items():
        like = entry.pop("like", None)
        known = {**of_base, **{key: each for key, each in datasets.items() if key != name}}
        if like is not None and like not in known:
            raise UserError(f"{path}: datasets.{name}.like: no dataset {like!r}: {did_you_mean(like, known)}")
        if like is None and ("extends" in own[name] or "transcode" in entry):
            continue
        source = known[like or next(iter(of_base))]
        datasets[name] = {key: source[key] for key in PREPARED_LIKE if key in source} | {"title": name} | entry
    return datasets


def _experiments(path: Path, file: StudyFile, base: Study) -> Entry:
    """The content of experiments.yaml; of the base only what the study's runs have."""
    of_base = base.experiments
    runs = of_base["runs"] if file.runs is None else extended(path, "runs", file.runs, of_base["runs"])
    if file.tables is None:
        tables = {name: entry for name, entry in of_base["tables"].items() if _rows(entry) <= runs.keys()}
    else:
        tables = extended(path, "tables", file.tables, of_base["tables"])
    settings = {"runs": runs, "tables": {name: {"title": name} | entry for name, entry in tables.items()}}
    shown = of_base.get("projections") if file.projections is None else file.projections
    if file.projections is not None or (shown and set(shown["runs"]) <= runs.keys()):
        settings["projections"] = shown
    return settings


def _rows(table: Mapping[str, Any]) -> set[str]:
    return {run for row in table["rows"] for run in row["runs"]}


def _claims(path: Path, file: StudyFile, base: Study, tables: Entries) -> Entry:
    """The content of claims.yaml: the base's about the tables that are left of it, else those of the file alone."""
    of_base = base.claims
    own = file.claims is not None or file.evidence_claims is not None
    settings = {} if own or file.tables is not None else dict(of_base)
    settings["margin"] = of_base.get("margin", 2.0) if file.margin is None else file.margin
    if file.tables is None:
        settings["paper"] = _of_tables(of_base.get("paper", {}), tables, lambda name, _: name)
    for key in ("claims", "evidence_claims"):
        if own:
            entries = extended(path, key, getattr(file, key) or {}, of_base.get(key, {}))
            settings[key] = {name: _ours(entry) if key == "claims" else entry for name, entry in entries.items()}
        elif key in settings:
            settings[key] = _of_tables(settings[key], tables, lambda _, claim: claim.get("table"))
    return settings


def _of_tables(entries: Entries, tables: Entries, table_of: Callable[[str, Entry], str | None]) -> Entries:
    """The entries about one of these tables, or about none."""
    return {name: its for name, its in entries.items() if table_of(name, its) in (None, *tables)}


def _ours(claim: Entry) -> Entry:
    """A claim of which no sentence is quoted is ours."""
    return ({} if "quote" in claim else {"stated_by": "us"}) | claim
