"""The work of `nerret probe`: probe a backbone on a corpus, print the tables, write JSON and picture."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..corpora import query_settings, say_rare_types
from ..progress import quiet_libraries
from ..tasks.annotations import read_annotations
from ..tasks.task import make_task
from .layers import ProbeSettings, probe_layers


def run_command(options: argparse.Namespace) -> None:
    """Probe the backbone of the command line."""
    name = options.corpus.stem
    task = make_task(name, read_annotations(options.corpus, options.limit), query_settings(options, name))
    say_rare_types(task)
    memory = options.memory * 2**20
    settings = ProbeSettings(options.pairs, options.seed, memory, options.device, options.dtype)
    with quiet_libraries():
        result = probe_layers(options.model, task, settings)
    print_tables(result)
    if options.out:
        from ..plots import save
        from .heat_map import plot_probe

        options.out.mkdir(parents=True, exist_ok=True)
        stem = options.out / f"probe-{Path(options.model).name}-{name}"
        Path(f"{stem}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        save(plot_probe(result), Path(f"{stem}.png"))


def print_tables(result: dict[str, Any]) -> None:
    """Print blocks by components, a table for each measure and pooling, and the best of each measure."""
    for measure, title in (("auc", "ROC-AUC"), ("r_precision", "R-Precision without a head")):
        for pooling in result["poolings"]:
            print(f"\n{title}, {pooling} pooling, {result['corpus']}, {result['n_mentions']} mentions")
            print(f"| block | {' | '.join(result['components'])} |\n|---" + "|---" * len(result["components"]) + "|")
            for number, values in zip(result["blocks"], result[measure][pooling], strict=True):
                print(f"| {number} | {' | '.join(f'{value:.3f}' for value in values)} |")
    for measure, best in result["best"].items():
        place = f"block {best['block']}, {best['component']}, {best['pooling']} pooling"
        print(f"best {measure}: {best['value']:.3f}, {place}")
