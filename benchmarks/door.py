"""What a command costs at the door: processor seconds and memory of a fresh process, the median of several.

    python -m benchmarks.door [--against CHECKOUT]

An index of the demo corpus is made first. With --against, each command also runs in another checkout, in turn with this
one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
NERRET = ("-m", "modeling_nerret.cli")
# A small process between, because a process begins with the memory of the one that starts it
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""


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
                    figures[checkout].append(measure(checkout, arguments))
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


def measure(checkout: Path, arguments: list[str]) -> tuple[float, float]:
    """Processor seconds and megabytes of one run with a checkout's package."""
    process = subprocess.run(
        [sys.executable, "-c", MEASURE, sys.executable, *arguments],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, megabytes = map(float, process.stdout.split())
    return seconds, megabytes


if __name__ == "__main__":
    main()
