"""Write a complete repository of the Hub from a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modeling_nerret.files import read_json
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint, locate

from .card import EXAMPLES, About, write_card
from .eval_results import write_eval_results
from .licences import TrainedSet, training_sets
from .native import write_native
from .out_folder import list_sizes, new_folder, refuse_full
from .repository import compare, write_custom


def build(name: str, out: Path, about: About) -> str:
    """Write the repository, compare its vectors with the checkpoint's, and move it to `out`.

    Args:
        name: the checkpoint: a built-in name, a folder or a repository id.
        out: the folder to write; new or empty.
        about: the form to write, and what the card says besides the checkpoint itself.

    Returns:
        A summary: form, largest difference of the vectors, and the files with their sizes.

    Raises:
        ValueError: stock modules cannot give the checkpoint's vectors, a benchmark has no result, or a licence is
            missing.
        OSError: `out` holds something, or the checkpoint was not found.
    """
    refuse_full(out)
    sets = training_sets(read_recipes(name), about.set_licences)
    checkpoint = load_checkpoint(name)
    with new_folder(out) as folder:
        comparison = write(checkpoint, about, sets, folder)
    form = "native" if about.native else "self-contained"
    return "\n".join([f"wrote {out}, the {form} form", comparison, *list_sizes(out)])


def read_recipes(checkpoint: str) -> list[dict[str, Any]]:
    """A checkpoint's recipe, then those of the checkpoints that it was trained from or is the average of, and so on.

    Empty if it has none.

    Raises:
        OSError: a checkpoint was not found, or a recipe is no JSON object.
        ValueError: a recipe names itself, or none by name.
    """
    return list(_recipes(checkpoint, ()).values())


def _recipes(name: str, children: tuple[Path, ...]) -> dict[Path, dict[str, Any]]:
    """Recipes by their path; `children` are those that lead to this checkpoint."""
    path = locate(name).resolve() / "recipe.json"
    if not path.exists():
        return {}
    if path in children:
        raise ValueError(f"{path} names itself as its own start ({name!r}); remove init or average")
    recipe = read_json(path)
    start, parts = recipe.get("init", ""), recipe.get("average", [])
    if not isinstance(start, str):
        raise ValueError(f"{path}: init is {start!r:.60}; it must be the name or path of a checkpoint")
    if not isinstance(parts, list) or not all(isinstance(part, str) and part for part in parts):
        raise ValueError(f"{path}: average is {parts!r:.60}; it must be a list of names or paths of checkpoints")
    recipes = {path: recipe}
    for parent in filter(None, (start, *parts)):
        recipes |= _recipes(parent, (*children, path))
    return recipes


def write(checkpoint: Checkpoint, about: About, sets: list[TrainedSet], folder: Path) -> str:
    """Write all files of one form; returns how its vectors compare with the checkpoint's."""
    (write_native if about.native else write_custom)(checkpoint, folder)
    queries = [*EXAMPLES, *(name for names in EXAMPLES.values() for name in names)]
    difference = compare(checkpoint, folder, queries)
    write_eval_results(about.results, about.system, about.benchmarks, folder)
    write_card(checkpoint, about, sets, folder)
    return f"largest difference of a number in the vectors of {len(queries)} type queries: {difference:.1e}"
