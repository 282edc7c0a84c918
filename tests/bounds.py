"""Test the package with other versions than `.venv` has: `python tests/bounds.py [ENVIRONMENT...]`.

Every environment lies in build/ and is kept, so that a second run installs only what has changed:

    oldest        the lower bounds of pyproject.toml, exactly
    newest        the newest releases, huggingface_hub 2 among them; torch as in constraints.txt, because it is so large
    newest-hub-1  the same with the newest huggingface_hub 1, and only the tests that need the Hub's library

Without a name all of them are tested. The exit code is 1 if an installation or a test failed in any of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = ROOT / "pyproject.toml"
BOUND = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*>=\s*([0-9.]+)")
EXTRAS = ("offline", "files", "train", "eval", "quantized")
# `oldest` has no app, because gradio 6.31 needs huggingface_hub 1.16, and no gliner, whose weights no test has. With
# the other bounds each of them resolves. `newest` tests the app, with gradio 6.31.
APP = "app"
NO_APP = ("--ignore", "tests/test_app.py")
# transformers before 5.17 misreads the rotary settings if a cut leaves a backbone with one of its two attentions, as
# these tests of tiny backbones do. The bound is lower because gliner 0.2.29 needs transformers before 5.17.
ONE_ATTENTION = (
    "tests/test_modeling.py::test_values_equal_a_hook_on_the_full_model[modernbert]",
    "tests/test_hub.py::test_native_refuses_what_stock_modules_cannot_give"
    "[gemma3_text-byte_bpe-mean-count positions in different ways]",
)
FAST = ("-m", "not slow")
HUB_TESTS = ("hub", "hub_card", "handler", "pretrained", "convert", "adapters")
VERSIONS = """
from importlib.metadata import version
names = "torch transformers sentence-transformers huggingface-hub peft accelerate numpy pyarrow lancedb".split()
print("with", ", ".join(f"{name} {version(name)}" for name in names), flush=True)
"""


@dataclass(frozen=True)
class Environment:
    """What to install, and what to test there.

    Attributes:
        name: the folder in build/.
        extras: extras of the package.
        constraints: lines of a constraints file of pip.
        tests: arguments of pytest.
        newest: look for new releases at each run.
    """

    name: str
    extras: tuple[str, ...]
    constraints: tuple[str, ...]
    tests: tuple[str, ...]
    newest: bool

    @property
    def python(self) -> Path:
        """The interpreter."""
        return ROOT / "build" / self.name / "bin" / "python"

    def run(self, *arguments: str) -> bool:
        """Whether the interpreter succeeds with these arguments; one thread, which is fastest for tiny models."""
        return not subprocess.run(
            [self.python, *arguments], cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False
        ).returncode

    def install(self) -> bool:
        """Install the package and its requirements, unless nothing has changed; whether that succeeded."""
        folder = self.python.parent.parent
        constraints, stamp = folder / "constraints.txt", folder / "request.txt"
        request = "\n".join((PROJECT.read_text(encoding="utf-8"), *self.constraints, *self.extras))
        if not self.newest and stamp.exists() and stamp.read_text(encoding="utf-8") == request:
            return True
        print(f"{self.name}: installing in build/{self.name}; the first time that takes minutes and GB", flush=True)
        if not self.python.exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        stamp.unlink(missing_ok=True)
        constraints.write_text("\n".join((*self.constraints, "")), encoding="utf-8")
        pip = ("-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check", "--upgrade")
        strategy = ("--upgrade-strategy", "eager" if self.newest else "only-if-needed")
        package = ("--group", "dev", "--editable", f".[{','.join(self.extras)}]")
        complete = self.run(*pip, "pip>=25.1") and self.run(*pip, *strategy, "--constraint", str(constraints), *package)
        if complete:
            stamp.write_text(request, encoding="utf-8")
        return complete


def lower_bounds(extras: tuple[str, ...]) -> tuple[str, ...]:
    """Constraints that allow only the oldest version of each requirement of the package, these extras and `dev`."""
    settings = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    project = settings["project"]
    lines = [*project["dependencies"], *settings["dependency-groups"]["dev"]]
    lines += [line for extra in extras for line in project["optional-dependencies"][extra]]
    matches = [match for match in map(BOUND.match, sorted(set(lines))) if match]
    return tuple(f"{match[1]}=={match[2]}" for match in matches)


def torch_of_constraints() -> str:
    """The line of constraints.txt for torch."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("torch=="))


def environments() -> dict[str, Environment]:
    """The environments by name."""
    deselect = tuple(argument for test in ONE_ATTENTION for argument in ("--deselect", test))
    hub_tests = tuple(f"tests/test_{name}.py" for name in HUB_TESTS)
    torch = torch_of_constraints()
    return {
        environment.name: environment
        for environment in (
            Environment("oldest", EXTRAS, lower_bounds(EXTRAS), (*FAST, *NO_APP, *deselect), newest=False),
            Environment("newest", (*EXTRAS, APP), (torch, "huggingface-hub>=2"), FAST, newest=True),
            Environment("newest-hub-1", (*EXTRAS, APP), (torch, "huggingface-hub<2"), hub_tests, newest=True),
        )
    }


def test(environment: Environment) -> str:
    """Install and test; what went wrong, or nothing."""
    place = f"build/{environment.name}"
    if not environment.install():
        return f"not installed; pip said why above. To start afresh: rm -r {place}"
    environment.run("-c", VERSIONS)
    print(f"{environment.name}: testing", flush=True)
    if not environment.run("-m", "pytest", "-p", "no:cacheprovider", *environment.tests):
        return f"a test failed; see above. To run one: {place}/bin/python -m pytest TEST"
    return ""


def main(names: list[str]) -> int:
    """Test these environments, or all."""
    choices = environments()
    unknown = [name for name in names if name not in choices]
    if unknown:
        print(f"there is no environment {unknown[0]!r}; choose from: {', '.join(choices)}", file=sys.stderr)
        return 2
    faults = {name: test(choices[name]) for name in names or choices}
    print()
    for name, fault in faults.items():
        print(f"{name}: {fault or 'passed'}")
    return int(any(faults.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
