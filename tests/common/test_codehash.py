"""Which modules are numerical: all of data, model, losses and engine but those named as computing nothing."""

from multitrain.common import codehash


def test_the_hash_is_of_every_module_that_may_compute():
    below = {path.relative_to(codehash.ROOT).as_posix() for path in codehash.ROOT.rglob("*.py")}
    expected = {
        name
        for name in below
        if name.split("/")[0] in ("data", "model", "losses", "engine") or name == "common/seeding.py"
    }
    assert expected > codehash.COMPUTES_NOTHING  # no name of a module that is gone
    found = {path.relative_to(codehash.ROOT).as_posix() for path in codehash.numerical()}
    assert found == expected - codehash.COMPUTES_NOTHING
    assert (
        "engine/reporting/log.py" not in found and {"losses/objective.py", "engine/step.py", "data/mixing.py"} <= found
    )


def test_it_changes_with_what_computes_at_any_depth_and_with_nothing_else(tmp_path, monkeypatch):
    for name in ("common/seeding.py", "losses/deep/new.py", "engine/reporting/log.py", "analysis/tables.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    monkeypatch.setattr(codehash, "ROOT", tmp_path)
    first = codehash.code_hash()
    for name, changes in (
        ("engine/reporting/log.py", False),
        ("analysis/tables.py", False),
        ("losses/deep/new.py", True),
    ):
        (tmp_path / name).write_text("2")
        assert (codehash.code_hash() != first) == changes, name
        (tmp_path / name).write_text("1")
    (tmp_path / "losses/deep/new.py").rename(tmp_path / "losses/deep/old.py")
    assert codehash.code_hash() != first
