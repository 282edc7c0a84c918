"""Recipes: what they inherit, what they refuse, and that those of the project are whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modeling_nerret.training.recipes import DEFAULTS, resolve

RECIPES = sorted(path for path in DEFAULTS.parent.glob("*.toml") if path != DEFAULTS)


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_states_only_what_differs(tmp_path: Path) -> None:
    _write(tmp_path / "base.toml", 'pooling = "mean"\n[head]\nrate = 0.5\nsteps = 9\n[model]\nhead_size = 3\n')
    child = _write(tmp_path / "child.toml", 'base = "base.toml"\n[head]\nsteps = 7\n[model]\ndropout = 0.2\n')
    recipe, plain = resolve(child, ["head.rate=0.25"]), resolve()
    assert recipe["pooling"] == "mean" and recipe["model"] == {"head_size": 3, "dropout": 0.2}
    assert (recipe["head"]["steps"], recipe["head"]["rate"]) == (7, 0.25)
    changed = {"pooling", "model", "head"}
    assert {name for name in plain if plain[name] != recipe[name]} == changed


def test_a_resolved_recipe_resolves_to_itself(tmp_path: Path) -> None:
    recipe = resolve(None, ["head.steps=7", "model.head_size=12"])
    assert resolve(_write(tmp_path / "recipe.json", json.dumps(recipe))) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[head]\nstepz = 3", "mine.toml: there is no key 'head.stepz'; did you mean 'head.steps'"),
        ("[heads]\nsteps = 3", "no key 'heads'; did you mean 'head'"),
        ("[model]\nhiden_size = 3", "no key 'model.hiden_size'; did you mean 'model.hidden_size'"),
        ('pooling = "middle"', "pooling is 'middle'; accepted are 'end', 'mean'"),
        ('[head]\nsteps = "many"', "head.steps is 'many'; needed is something like 3000"),
        ("[head]\nsteps = true", "head.steps is True"),
        ('[head]\nsets = ["corpus"]', "an entry of head.sets is 'corpus'; needed is { name"),
        ('[head]\nsets = [{ name = "corpus", wait = 1 }]', "did you mean 'head.sets.weight'"),
        ('base = "mine.toml"', "mine.toml is its own base"),
        ("seed = ", "mine.toml: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        resolve(_write(tmp_path / "mine.toml", text))
    assert message in str(caught.value)


def test_an_override_needs_key_and_value() -> None:
    with pytest.raises(ValueError, match="write KEY=VALUE"):
        resolve(None, ["head.steps"])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_of_the_project_are_whole(path: Path) -> None:
    recipe = resolve(path)
    assert recipe["backbone"] or recipe["init"]
    assert recipe["head"]["sets"] or not recipe["head"]["steps"]
    assert recipe["detector"]["sets"] or not recipe["detector"]["steps"]
