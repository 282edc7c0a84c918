"""Find out where in a backbone entity types are told apart.

For every block and every component (query, key, value, attention output, inner vector of the feed-forward network,
residual), and for the mention's last token as well as the mean of its tokens:

- ROC-AUC of the cosine between two mentions, for pairs of the same type against pairs that share no type. Types are
  drawn evenly, the mentions of a pair stand in different documents.
- R-Precision of documents ranked by the cosine of their best mention with the type's name, without any trained head.

MODEL is a repository id or folder of a stock transformer. Only pooled vectors of mentions are kept, and only of as many
blocks at a time as --memory allows; for the rest the corpus is read again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
import transformers
from sklearn.metrics import roc_auc_score
from transformers import AutoConfig, AutoModel, AutoTokenizer

from .components import NAMES, blocks_of, watched
from .corpora import EXCLUDED, Task, make_task, read_corpus, read_names
from .ranking import best_per_document, r_precisions, rank
from .run import positive
from .vectors import Forward, Reader, limit_of, read_mentions, read_phrases
from modeling_nerret.backbones import family_of
from modeling_nerret.configuration_nerret import POOLINGS
from modeling_nerret.weights import find_backbone

EXAMPLE = """example:
  python -m eval.probe sentence-transformers/all-MiniLM-L6-v2 dev/fewnerd.jsonl --types dev/types.json --limit 1000
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, 2 (bad usage) or 130 (interrupted)."""
    options = _parser().parse_args(arguments)
    if not sys.stderr.isatty():  # the libraries' bars fill logs; ours do not show there
        transformers.utils.logging.disable_progress_bar()
        datasets.disable_progress_bars()
    try:
        names = read_names(options.types, options.types_key, options.corpus.stem)
        task = make_task(options.corpus.stem, read_corpus(options.corpus, options.limit), names, options.exclude)
        found = probe(
            options.model, task, options.pairs, options.seed, options.memory * 2**20, options.device, options.dtype
        )
    except KeyboardInterrupt:
        print("eval.probe: interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"eval.probe: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print_table(found)
    if options.out:
        from .plots import plot_probe, save

        options.out.mkdir(parents=True, exist_ok=True)
        stem = options.out / f"probe-{Path(options.model).name}-{task.name}"
        Path(f"{stem}.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        save(plot_probe(found), Path(f"{stem}.png"))
    return 0


def probe(
    model: str,
    task: Task,
    pairs: int = 20_000,
    seed: int = 0,
    memory: int = 2**30,
    device: str = "cpu",
    dtype: str = "float32",
) -> dict[str, Any]:
    """Measure all blocks and components of a backbone.

    Args:
        model: repository id or folder.
        task: the corpus; its gold mentions are used.
        pairs: how many pairs of each kind.
        seed: of the pairs.
        memory: bytes that the vectors of the blocks at hand may take.
        device: where the model runs.
        dtype: of its weights.

    Returns:
        What stands in the JSON file: `auc` and `r_precision`, for each pooling a list of blocks of values in the order
        of `components`, and `best`: measure -> value, block, component and pooling.

    Raises:
        OSError: there is no such model.
        ValueError: its architecture is unknown to the probe, or the corpus has too few types or mentions.
    """
    folder = find_backbone(model)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    backbone = AutoModel.from_pretrained(folder, dtype=dtype, trust_remote_code=False).eval()
    torch.nn.Module.to(backbone, device)
    backbone.config.use_cache = False
    tokenizer = AutoTokenizer.from_pretrained(folder)
    reader = Reader(tokenizer, limit_of(tokenizer, config), family_of(config).causal, device)
    blocks = blocks_of(backbone, config)
    numbers = list(range(len(blocks)))
    mentions = sum(len(document.mentions) for document in task.documents)
    grid: dict[str, dict[str, list[list[float]]]] = {
        measure: {one: [[]] * len(numbers) for one in POOLINGS} for measure in ("auc", "r_precision")
    }
    drawn, read = None, mentions
    for group in _groups(numbers, mentions, config, memory):
        with watched(blocks, group, config.model_type) as seen:
            forward = _forward(backbone, seen)
            texts = [(document.text, document.mentions) for document in task.documents]
            found = read_mentions(reader, texts, forward, POOLINGS, f"blocks {group[0]} to {group[-1]}")
            queries = read_phrases(reader, task.queries, forward, POOLINGS)
        if drawn is None:  # which mentions have tokens does not depend on the block
            drawn, read = draw_pairs(task, found.owners, found.spans, pairs, seed), len(found.spans)
        for number in group:
            for pooling in POOLINGS:
                keys = [(f"{number} {component}", pooling) for component in NAMES]
                grid["auc"][pooling][number] = [auc(found.vectors[key], *drawn) for key in keys]
                grid["r_precision"][pooling][number] = [
                    _r_precision(task, found.vectors[key], found.owners, queries.vectors[key]) for key in keys
                ]
        # blocks are done from the last to the first, and what stands behind the rest is not needed any more
        del blocks[group[0] :]
    return {
        "model": model,
        "corpus": task.name,
        "n_documents": len(task.documents),
        "n_mentions": read,
        "n_types": len(task.types),
        "n_pairs": len(drawn[0]) if drawn else 0,
        "seed": seed,
        "blocks": numbers,
        "components": list(NAMES),
        "poolings": list(POOLINGS),
        **grid,
        "best": {measure: _best(values) for measure, values in grid.items()},
    }


def draw_pairs(
    task: Task, owners: np.ndarray, spans: list[Any], pairs: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of mentions of the same type, and as many that share none.

    Args:
        task: what types the mentions have.
        owners: (mentions,), number of each mention's document.
        spans: of the mentions.
        pairs: how many of each kind.
        seed: of the draw.

    Returns:
        First and second mention, and whether they share a type, (2 * pairs,) each.

    Raises:
        ValueError: fewer than two types stand in two documents or more.
    """
    types = [frozenset(task.labels[owner][span]) & set(task.types) for owner, span in zip(owners, spans, strict=True)]
    members = {name: np.array([at for at, own in enumerate(types) if name in own]) for name in task.types}
    names = [name for name, own in members.items() if len(np.unique(owners[own])) > 1]
    if len(names) < 2:
        raise ValueError(f"{task.name} has {len(names)} types in two documents or more; the probe needs two types")
    generator = np.random.default_rng(seed)
    some = np.flatnonzero([bool(own) for own in types])
    first, second, same = [], [], []
    for alike in (True, False):
        missing, tries = pairs, 0
        while missing and tries < 100 * pairs:
            tries += 1
            name = names[generator.integers(len(names))]
            one = members[name][generator.integers(len(members[name]))]
            pool = members[name] if alike else some
            other = pool[generator.integers(len(pool))]
            if owners[one] != owners[other] and (alike or not types[one] & types[other]):
                first.append(one)
                second.append(other)
                same.append(alike)
                missing -= 1
    return np.array(first), np.array(second), np.array(same)


def auc(vectors: np.ndarray, first: np.ndarray, second: np.ndarray, same: np.ndarray) -> float:
    """How well the cosine of two mentions tells whether they share a type; 0.5 is chance.

    Args:
        vectors: (mentions, size), each of length 1.
        first: (pairs,), number of one mention.
        second: (pairs,), number of the other.
        same: (pairs,), whether they share a type.

    Example:
        >>> auc(np.eye(2)[[0, 0, 1]], np.array([0, 0]), np.array([1, 2]), np.array([True, False]))
        1.0
    """
    cosines = np.concatenate(
        [
            (vectors[first[at : at + 4096]] * vectors[second[at : at + 4096]]).sum(1)
            for at in range(
                0, len(first), 4096
            )  # a block of an 8-billion backbone's inner vectors would take gigabytes
        ]
    )
    return float(roc_auc_score(same, cosines))


def print_table(found: dict[str, Any]) -> None:
    """Print blocks by components, a table for each measure and pooling, and the best of each measure."""
    for measure, title in (("auc", "ROC-AUC"), ("r_precision", "R-Precision without a head")):
        for pooling in found["poolings"]:
            print(f"\n{title}, {pooling} pooling, {found['corpus']}, {found['n_mentions']} mentions")
            print(f"| block | {' | '.join(found['components'])} |\n|---" + "|---" * len(found["components"]) + "|")
            for number, values in zip(found["blocks"], found[measure][pooling], strict=True):
                print(f"| {number} | {' | '.join(f'{value:.3f}' for value in values)} |")
    for measure, best in found["best"].items():
        where = f"block {best['block']}, {best['component']}, {best['pooling']} pooling"
        print(f"best {measure}: {best['value']:.3f}, {where}")


def _forward(backbone: torch.nn.Module, seen: dict[str, torch.Tensor]) -> Forward:
    def forward(ids: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        backbone(input_ids=ids, attention_mask=mask)
        return seen

    return forward


def _groups(numbers: list[int], mentions: int, config: Any, memory: int) -> Iterator[list[int]]:
    """Blocks that are measured in one reading of the corpus, last blocks first."""
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    block = mentions * len(POOLINGS) * 4 * (5 * config.hidden_size + inner)  # bytes, about
    size = max(int(memory // max(block, 1)), 1)
    for end in range(len(numbers), 0, -size):
        yield numbers[max(end - size, 0) : end]


def _r_precision(task: Task, vectors: np.ndarray, owners: np.ndarray, queries: np.ndarray) -> float:
    ids = [document.id for document in task.documents]
    scores = (best_per_document(vectors @ query, owners, len(ids)) for query in queries)
    return float(np.mean(r_precisions([rank(one, ids) for one in scores], task.relevant)))


def _best(values: dict[str, list[list[float]]]) -> dict[str, Any]:
    value, pooling, block, component = max(
        (value, pooling, block, NAMES[at])
        for pooling, rows in values.items()
        for block, row in enumerate(rows)
        for at, value in enumerate(row)
    )
    return {"value": value, "block": block, "component": component, "pooling": pooling}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval.probe",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="repository id or folder of a stock transformer")
    add("corpus", type=Path, metavar="CORPUS", help="JSONL with gold mentions, as for eval.run")
    add("--types", type=Path, metavar="FILE", help='JSON: {"label": "plain name", ...} (default: labels as they are)')
    add("--types-key", metavar="SET", help="the set in a types file of several (default: the corpus's name)")
    add("--exclude", default=EXCLUDED, metavar="REGEX", help=f"types that are left out (default: {EXCLUDED!r})")
    add("--limit", type=positive, metavar="N", help="only the first N documents")
    add("--pairs", type=positive, default=20_000, metavar="N", help="pairs of each kind (default: 20000)")
    add("--out", type=Path, metavar="DIR", help="write probe-MODEL-CORPUS.json and .png")
    add("--memory", type=positive, default=1024, metavar="MIB", help="for mention vectors (default: 1024)")
    add("--device", default="cpu", help="cpu (default), cuda, mps")
    add("--dtype", default="float32", help="of the weights: float32 (default), bfloat16, float16")
    add("--seed", type=int, default=0, help="of the pairs (default: 0)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
