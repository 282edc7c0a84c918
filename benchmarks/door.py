"""What a command costs at the door: processor seconds and memory of a fresh process, the median of several.

    python -m benchmarks.door [--against CHECKOUT]

An index of the demo corpus is made first. With --against, each command also runs in another checkout, in turn with this
one.
"""

from __future__ import annotations

import argparse
import ast
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
NERRET = ("-m", "modeling_nerret.cli")
# A small process between, because a process begins with the memory of the one that starts it
MEASURE = """
import resource, subprocess, sys
process = subprocess.run(sys.argv[1:], capture_output=True, text=True)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds, megabytes = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
print(repr((process.returncode, process.stdout, process.stderr, seconds, megabytes)))
"""


class Measurement(NamedTuple):
    """What a fresh process did: exit code, output, standard error, processor seconds and peak memory."""

    code: int
    output: str
    error: str
    seconds: float
    megabytes: float


def main() -> None:
    """Print a row of a Markdown table for each command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another checkout to compare with")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of each command (default: 5)")
    options = parser.parse_args()
    checkouts = [*([options.against.resolve()] if options.against else []), ROOT]
    print("| command |" + "".join(f" {checkout.name}, CPU s | MB |" for checkout in checkouts))
    print("|---|" + "---|---|" * len(checkouts))
    with tempfile.TemporaryDirectory() as folder:
        index = str(Path(folder) / "index")
        demo = str(ROOT / "modeling_nerret/demo/documents.jsonl")
        subprocess.run([sys.executable, *NERRET, "index", demo, index], check=True, cwd=ROOT, capture_output=True)
        for name, arguments in commands(index).items():
            figures: dict[Path, list[tuple[float, float]]] = {checkout: [] for checkout in checkouts}
            for _ in range(options.runs):
                for checkout in checkouts:
                    environment = os.environ | {"PYTHONPATH": str(checkout)}
                    measurement = measure(sys.executable, *arguments, cwd=checkout, env=environment)
                    figures[checkout].append((measurement.seconds, measurement.megabytes))
            medians = (statistics.median(column) for runs in figures.values() for column in zip(*runs, strict=True))
            cells = (f"{value:.2f}" if number % 2 == 0 else f"{value:.0f}" for number, value in enumerate(medians))
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


def commands(index: str) -> dict[str, list[str]]:
    """What is run, by its name in the table."""
    return {
        "`import modeling_nerret`": ["-c", "import modeling_nerret"],
        "`nerret --help`": [*NERRET, "--help"],
        "`nerret --version`": [*NERRET, "--version"],
        "a wrong argument": [*NERRET, "search", index],
        "a wrong path": [*NERRET, "search", f"{index}-nowhere", "dinosaur"],
        "`nerret models`": [*NERRET, "models"],
        "`nerret info`": [*NERRET, "info", index],
        "`nerret delete`": [*NERRET, "delete", index, "nothing"],
        "`nerret search`": [*NERRET, "search", index, "dinosaur"],
    }


def measure(*command: str, **options: Any) -> Measurement:
    """Run a command in a fresh process; `options` are those of `subprocess.run`."""
    wrapper = [sys.executable, "-c", MEASURE, *command]
    process = subprocess.run(wrapper, capture_output=True, text=True, check=True, **options)
    return Measurement(*ast.literal_eval(process.stdout))


if __name__ == "__main__":
    main()
