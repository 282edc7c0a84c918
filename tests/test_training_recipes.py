"""Recipes: what they inherit, what they refuse, and that those of the project are complete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modeling_nerret.pretrained.checkpoints import locate
from modeling_nerret.training.recipe_files import from_dict, resolve
from modeling_nerret.training.recipes import SetEntry, describe_keys, shipped_recipes


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_states_only_what_differs(tmp_path: Path) -> None:
    _write(tmp_path / "base.toml", 'pooling = "mean"\n[head]\nrate = 0.5\nsteps = 9\n[model]\nhead_size = 3\n')
    child = _write(tmp_path / "child.toml", 'base = "base.toml"\n[head]\nsteps = 7\n[model]\ndropout = 0.2\n')
    recipe, plain = resolve(child, ["head.rate=0.25"]), resolve()
    assert recipe.pooling == "mean" and recipe.model == {"head_size": 3, "dropout": 0.2}
    assert (recipe.head.steps, recipe.head.rate) == (7, 0.25)
    changes = {name for name, value in plain.to_dict().items() if value != recipe.to_dict()[name]}
    assert changes == {"pooling", "model", "head"} and recipe.joint == plain.joint


def test_a_resolved_recipe_resolves_to_itself(tmp_path: Path) -> None:
    recipe = resolve(None, ["head.steps=7", "model.head_size=12", 'head.sets=[{name="corpus"}]', "head.matryoshka=[4]"])
    assert recipe.head.sets == (SetEntry("corpus"),) and recipe.head.matryoshka == (4,)
    assert resolve(_write(tmp_path / "recipe.json", json.dumps(recipe.to_dict()))) == recipe


def test_the_recipe_of_a_published_checkpoint_is_read() -> None:
    path = locate("nerret-minilm") / "recipe.json"
    recipe = resolve(path)
    assert recipe.to_dict() == json.loads(path.read_text(encoding="utf-8"))  # the same keys in the same form
    assert recipe == resolve("nerret-minilm")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[head]\nstepz = 3", "mine.toml: there is no key 'head.stepz'; did you mean 'head.steps'"),
        ("[heads]\nsteps = 3", "no key 'heads'; did you mean 'head'"),
        ("steps = 3", "no key 'steps'; did you mean 'head.steps'"),
        ("[model]\nhiden_size = 3", "no key 'model.hiden_size'; did you mean 'model.hidden_size'"),
        ('[model]\nhead_size = "x"', "model.head_size is 'x'; write a whole number"),
        ('pooling = "middle"', "pooling is 'middle'; accepted are 'end', 'mean'"),
        ('[head]\nsteps = "many"', "head.steps is 'many'; write a whole number"),
        ("[head]\nsteps = true", "head.steps is True"),
        ("[head]\nwarmup = 1.5", "head.warmup is 1.5; it must be at least 0 and at most 1"),
        ("[head]\nhardest = [1.0]", "head.hardest is [1.0]; write a list of 2 numbers"),
        ('[head]\nsets = ["corpus"]', "head.sets[0] is 'corpus'; write { name"),
        ('[head]\nsets = [{ name = "corpus", wait = 1 }]', "did you mean 'head.sets[0].weight'"),
        ('[head]\nsets = [{ name = "corpus", names = { A = 1 } }]', 'write { LABEL = "plain name" }'),
        ("head = 3", "head is 3; write [head]"),
        ('base = "mine.toml"', "mine.toml includes itself as base (mine.toml > mine.toml)"),
        ("base = 5", "base is 5; write the name or path of one recipe"),
        ("x = " + "[" * 5000, "mine.toml: "),
        ('base = "other.toml"', "there is no recipe 'other.toml'; give a TOML file or one of"),
        ("seed = ", "mine.toml: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        resolve(_write(tmp_path / "mine.toml", text))
    assert message in str(caught.value)


def test_all_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    _write(tmp_path / "base.toml", 'pooling = "middle"\n')
    child = _write(tmp_path / "child.toml", 'base = "base.toml"\n[head]\nstepz = 7\nrate = -1\n')
    with pytest.raises(ValueError, match="the recipe has 4 faults") as caught:
        resolve(child, ["joint.runs=0"])
    message = str(caught.value)
    faults = (
        "base.toml: pooling is",
        "child.toml: there is no key",
        "child.toml: head.rate is -1",
        "--set: joint.runs is 0",
    )
    assert all(fault in message for fault in faults)


def test_another_backbone_does_not_inherit_the_revision(tmp_path: Path) -> None:
    _write(tmp_path / "base.toml", 'backbone = "a/one"\nrevision = "1110a24"\n')
    repetition = _write(tmp_path / "same.toml", 'base = "base.toml"\nbackbone = "a/one"\nlayer = 3\n')
    child = _write(tmp_path / "other.toml", 'base = "base.toml"\nbackbone = "b/two"\n')
    grandchild = _write(tmp_path / "fixed.toml", 'base = "base.toml"\nbackbone = "b/two"\nrevision = "22aa"\n')
    assert [resolve(path).revision for path in (repetition, child, grandchild)] == ["1110a24", "", "22aa"]
    assert resolve(grandchild, ["backbone=c/three"]).revision == ""
    for overrides in (["backbone=c/three", "revision=33bb"], ["revision=33bb", "backbone=c/three"]):
        assert resolve(grandchild, overrides).revision == "33bb"


def test_the_layer_is_a_number_or_left_to_the_probe() -> None:
    assert (resolve(None, ["layer=probe"]).layer, resolve(None, ["layer=4"]).layer) == ("probe", 4)
    with pytest.raises(ValueError, match=r"layer is 'best'; write a whole number or 'probe'"):
        resolve(None, ["layer=best"])
    sets = {"head": {"sets": [{"name": "corpus"}]}}
    assert "already has a layer" in from_dict({"init": "a", "layer": "probe"} | sets).faults()[0]
    assert "no sets to probe" in from_dict({"backbone": "a", "layer": "probe", "head": {"steps": 0}}).faults()[0]


def test_an_override_needs_key_and_value() -> None:
    with pytest.raises(ValueError, match="write KEY=VALUE"):
        resolve(None, ["head.steps"])


@pytest.mark.parametrize("name", shipped_recipes())
def test_the_recipes_of_the_project_are_complete(name: str) -> None:
    overrides = ["init=nerret-minilm"] if name == "detector" else []  # of which checkpoint, the user says
    assert resolve(name, overrides).faults() == []


def test_what_a_recipe_lacks_or_says_twice_is_told() -> None:
    first, second = from_dict({"detector": {"steps": 3}, "head": {"steps": 0}}).faults()
    assert "names no model" in first and "detector has steps but no sets" in second
    assert "already has model" in from_dict({"init": "a", "model": {"head_size": 3}}).faults()[0]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"head": {"sets": [{"name": "kinds"}]}}, "head.sets has 'kinds', from which only joint can learn"),
        ({"joint": {"steps": 1, "sets": [{"name": "phrases"}]}}, "from which only detector can learn"),
        ({"detector": {"steps": 1, "sets": [{"name": "kinds"}]}}, "detector.sets has 'kinds'"),
        ({"detector": {"steps": 1, "sets": [{"name": "phrases"}]}}, "write phrases = true"),
        ({"detector": {"steps": 1, "sets": [{"name": "a"}]}, "probe": {"phrases": True}}, "lacks 'phrases'"),
        ({"joint": {"steps": 1, "sets": [{"name": "a"}], "decoys": 64}}, "joint.decoys is 64; it must be below"),
        ({"joint": {"steps": 1, "sets": [{"name": "a"}], "teacher": "b"}}, "set model.document_size"),
    ],
)
def test_what_a_stage_cannot_learn_is_told_before_anything_runs(changes: dict, fault: str) -> None:
    (message,) = from_dict({"backbone": "a", "head": {"steps": 1, "sets": [{"name": "a"}]}} | changes).faults()
    assert fault in message


def test_the_help_explains_every_key() -> None:
    text = describe_keys()
    for name, value in resolve().to_dict().items():
        keys = value if isinstance(value, dict) and value else [name]
        assert all(f"\n{key} = " in f"\n{text}" or f"[{key}]" in text for key in keys), name
    assert all("#" in line for line in text.splitlines() if line)
