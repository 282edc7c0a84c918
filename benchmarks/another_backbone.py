"""The paper's road over another backbone: a head on value vectors alone, with gold mentions, beside MiniLM.

    python -m benchmarks.another_backbone BACKBONE --layers 17,22 --data TRAIN --dev DEV --out OUT

BACKBONE is a folder or repository of a causal model, TRAIN and DEV are folders of sets. At each of the blocks the
recipe `smollm2` trains two heads, with InfoNCE and with the paper's triplets; vectors are those of a mention's last
token. The dev sets are read once for all blocks. MiniLM is measured without a head, with a head of the same recipe at
block 4, and as `nerret-minilm`, which has an adapter and more data. A run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import show
from modeling_nerret.eval.measure import measure
from modeling_nerret.eval.probe.components import blocks_of, watch_blocks
from modeling_nerret.eval.ranking import best_per_document, r_precisions, rank
from modeling_nerret.eval.systems.registry import make_system
from modeling_nerret.eval.systems.trial import Trial
from modeling_nerret.eval.tasks.annotations import LabelledDocument, read_annotations
from modeling_nerret.eval.tasks.task import Task, make_task
from modeling_nerret.eval.tasks.type_names import EXCLUDED, QuerySettings, read_types_file
from modeling_nerret.loading import backbone_tokenizer
from modeling_nerret.modeling_nerret import NerretModel, pool
from modeling_nerret.spans import Span
from modeling_nerret.training.data.sets import Data
from modeling_nerret.training.recipe_files import resolve
from modeling_nerret.training.run import train
from modeling_nerret.weights import find_backbone
from modeling_nerret.windows import Sightings, batches, make_windows, row_owners, stack, token_rows

SETS = ("fewnerd", "multiconer2", "crossner", "semcor", "maccrobat", "deal", "annoctr", "mulms", "idrisi")
OBJECTIVES = ("info_nce", "triplet")
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
BATCH_TOKENS = 1024


def main() -> None:
    """Print R-Precision of every system on every set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("backbone")
    parser.add_argument("--layers", default="17,22", help="blocks, the deepest last")
    parser.add_argument("--data", type=Path, required=True, help="folder of sets to train on")
    parser.add_argument("--dev", type=Path, required=True, help="folder of sets with types.json and exclude.json")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=400, help="documents of a set")
    parser.add_argument("--characters", type=int, default=40_000, help="characters of a set's documents")
    options = parser.parse_args()
    layers = [int(layer) for layer in options.layers.split(",")]
    tasks = [read_task(options.dev, name, options.limit, options.characters) for name in SETS]
    values = [read_values(options.backbone, layers, task, options.out / "values") for task in tasks]
    heads: dict[tuple[int, str], Path] = {}
    for layer in layers:
        for objective in OBJECTIVES:
            changes = [f"backbone={options.backbone}", f"layer={layer}", f"head.objective={objective}"]
            heads[layer, objective] = train_head(changes, options.data, options.out, f"{layer}-{objective}")
    changes = [f"backbone={MINILM}", "layer=4", "pooling=mean"]
    minilm = train_head(changes, options.data, options.out, "minilm")
    table: dict[str, list[float]] = {}
    for layer in layers:
        table[f"block {layer}, no head"] = [score(task, part, layer) for task, part in zip(tasks, values, strict=True)]
        for objective in OBJECTIVES:
            head = NerretModel.from_pretrained(heads[layer, objective]).head.eval()
            table[f"block {layer}, {objective}"] = [
                score(task, part, layer, head) for task, part in zip(tasks, values, strict=True)
            ]
    for system in (f"bare:{MINILM}@4@mean", f"{minilm}@vector", "nerret-minilm@vector"):
        trials = [Trial(task, "gold") for task in tasks]
        table[system] = [measure(trial, system, make_system(system)).result["macro_r_precision"] for trial in trials]
    for name, row in table.items():
        show(name, **dict(zip(SETS, row, strict=True)), mean=float(np.mean(row)))


def read_task(folder: Path, name: str, limit: int, characters: int) -> Task:
    """The first documents of a dev set as a task."""
    exclude = json.loads((folder / "exclude.json").read_text(encoding="utf-8")).get(name, EXCLUDED)
    names = read_types_file(folder / "types.json", None, name)
    texts = _until(read_annotations(folder / f"{name}.jsonl", limit), characters)
    return make_task(name, texts, QuerySettings(names, exclude))


def _until(texts: Iterable[LabelledDocument], characters: int) -> Iterator[LabelledDocument]:
    """The first texts, until they have so many characters together."""
    for text in texts:
        if characters <= 0:
            return
        yield text
        characters -= len(text.document.text)


def read_values(backbone: str, layers: Sequence[int], task: Task, folder: Path) -> dict[str, np.ndarray]:
    """`owners`, and for each layer `mentions` and `queries`: value vectors of a task, computed once."""
    path = folder / f"{task.name}.npz"
    if not path.exists():
        model = NerretModel.from_backbone(backbone, layer=layers[-1], dtype="float32")
        tokenizer = backbone_tokenizer(find_backbone(backbone), model.causal)
        texts = [(document.text, list(document.mentions)) for document in task.documents]
        queries = [(query, [Span(0, len(query))]) for query in task.queries]
        owners, mention_values = _pool(model, tokenizer, layers, texts)
        _, query_values = _pool(model, tokenizer, layers, queries)
        arrays = {f"mentions {layer}": rows for layer, rows in mention_values.items()}
        arrays |= {f"queries {layer}": rows for layer, rows in query_values.items()}
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, owners=owners, **arrays)
    with np.load(path) as arrays:
        return dict(arrays)


@torch.inference_mode()
def _pool(
    model: Any, tokenizer: Any, layers: Sequence[int], texts: Sequence[tuple[str, list[Span]]]
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Number of each mention's text (mentions,), and for each layer its V (mentions, value_size), of its last token."""
    windows = make_windows(tokenizer, [text for text, _ in texts], model.config.max_tokens)
    sightings, inner = Sightings(windows, model.causal), layers[:-1]
    owners: list[int] = []
    parts: dict[int, list[np.ndarray]] = {layer: [] for layer in layers}
    config = model.backbone.config
    with watch_blocks(blocks_of(model.backbone, config), inner, config.model_type) as outputs:
        for batch in batches(windows, BATCH_TOKENS):
            groups = [sightings.of(window, texts[window.owner][1]) for window in batch]
            values = model.value_states(*stack(batch))  # (windows, tokens, value_size)
            rows = token_rows(groups)  # (mentions, 3)
            owners += [owner for owner, _ in row_owners(batch, groups)]
            for layer in layers:
                states = values if layer == layers[-1] else outputs[f"{layer} v"]
                parts[layer].append(pool(states, rows, "end").numpy())
    order = np.argsort(owners, kind="stable")
    return np.asarray(owners)[order], {layer: np.concatenate(part)[order] for layer, part in parts.items()}


def train_head(changes: list[str], data: Path, out: Path, name: str) -> Path:
    """Train a head of the recipe; a finished run is not repeated."""
    folder = out / name
    if not (folder / "metrics.json").exists():
        train(resolve("smollm2", changes), Data.of([str(data)]), folder, out / "cache")
    return folder


@torch.inference_mode()
def score(task: Task, values: dict[str, np.ndarray], layer: int, head: Any = None) -> float:
    """Macro R-Precision of documents ranked by the cosine of their best mention and the query."""

    def embed(rows: np.ndarray) -> np.ndarray:
        vectors = torch.from_numpy(rows)
        return torch.nn.functional.normalize(vectors if head is None else head(vectors), dim=-1).numpy()

    mentions, queries = embed(values[f"mentions {layer}"]), embed(values[f"queries {layer}"])
    ids = [document.id for document in task.documents]
    scores = (best_per_document(mentions @ query, values["owners"], len(ids)) for query in queries)
    return float(np.mean(r_precisions([rank(row, ids) for row in scores], task.relevant)))


if __name__ == "__main__":
    main()
