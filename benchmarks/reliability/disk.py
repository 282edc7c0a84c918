"""Fill the disk under `nerret index` at many moments, and look whether it says so and keeps what was committed.

    python -m benchmarks.reliability.disk [--count 24]

The index lies on a file system in memory of a size drawn by chance, which is mounted for the purpose: that needs Linux
and the rights to mount. When the command has ended, the file system is made larger, the index is checked deeply, and
the command runs again to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.reliability.table import print_table
from modeling_nerret.index.check import Check
from modeling_nerret.index.folder import is_vacant
from tests.tiny import save_checkpoint

DOCUMENTS = 1_500
COMMAND = """
import sys
from modeling_nerret import cli, encoding
from modeling_nerret.index import retriever
retriever.COMMIT_DOCUMENTS = encoding.BUFFER_DOCUMENTS = 100
sys.exit(cli.main(sys.argv[1:]))
"""
OUTCOMES = ("said", "went on", "traceback", "documents lost", "faults")


def main() -> None:
    """Fill, look and run again; print a table, and end with 1 if anything was lost, wrong or unsaid."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=24, metavar="N", help="of full disks (default: 24)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        corpus, model = Path(folder, "corpus.jsonl"), save_checkpoint(Path(folder))
        with corpus.open("w") as file:
            for number in range(DOCUMENTS):
                noise = generator.randbytes(200).hex()
                file.write(json.dumps({"id": str(number), "text": f"Ada {noise} in London", "n": number}) + "\n")
        for number in range(options.count):
            disk = Path(folder, f"disk{number}")
            disk.mkdir()
            size = generator.randrange(60, 1_900)  # KiB
            _mount(disk, size)
            try:
                outcome, losses, faults = _fill(corpus, disk / "index", model, disk)
            finally:
                subprocess.run(["umount", disk], check=True)
            counts[outcome] += 1
            counts["documents lost"] += losses
            counts["faults"] += faults
            print(f"{number + 1}: {size} KiB, {outcome}", file=sys.stderr, flush=True)
    print_table([{"full disks": options.count} | {name: counts[name] for name in OUTCOMES}])
    sys.exit(any(counts[name] for name in OUTCOMES[2:]))


def _mount(disk: Path, kibibytes: int, *options: str) -> None:
    setting = ",".join([f"size={kibibytes}k", *options])
    if os.getuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", setting, "tmpfs", disk]).returncode:
        sys.exit("this campaign mounts small file systems, and needs the rights to do so")


def _fill(corpus: Path, index: Path, model: str, disk: Path) -> tuple[str, int, int]:
    """How the command ended on the small disk, how many documents were lost, and how many faults there were."""
    process = _run(corpus, index, model)
    before, faults = _ids(index), 0
    if "Traceback" in process.stderr:
        print(process.stderr, file=sys.stderr)
        return "traceback", 0, 0
    outcome = "went on" if process.returncode == 0 else "said" if "the disk is full" in process.stderr else "traceback"
    if outcome == "traceback":
        print(process.stderr, file=sys.stderr)
    _mount(disk, 200_000, "remount")
    if before:
        faults += len([fault for fault in Check(index).faults(deep=True) if "nerret compact" not in fault])
    rerun = _run(corpus, index, model)
    after = _ids(index)
    losses = len(before - after) + (DOCUMENTS - len(after))
    if rerun.returncode or losses:
        print(rerun.stderr, file=sys.stderr)
    return outcome, losses, faults + len(Check(index).faults(deep=True))


def _run(corpus: Path, index: Path, model: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-c", COMMAND, "index", str(corpus), str(index), "--model", model]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300)


def _ids(index: Path) -> set[str]:
    return set() if is_vacant(index) else set(Check(index).snapshot.ids_from(""))


if __name__ == "__main__":
    main()
