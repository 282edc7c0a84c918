"""Write the static Space: a page that embeds type queries and ranks the demo corpus in the visitor's browser."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from modeling_nerret.demo import demo_corpus
from modeling_nerret.detection import GivenSpans
from modeling_nerret.encoding import Encoder
from modeling_nerret.extras import install_line
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint

from .npm import copy_files, fetch_packages
from .out_folder import list_sizes, new_folder
from .space_corpus import CORPUS, VECTORS, write_corpus

PAGE = Path(__file__).parent / "static_space"
PAGE_KINDS = (".css", ".html", ".js", ".md")
VENDOR, MODEL, TOKENIZER, SIZES = "vendor", "model.onnx", "tokenizer.json", "sizes.json"
# Files of npm packages, and their names in the Space
PACKAGE_FILES = {
    "onnxruntime-web/dist/ort.wasm.bundle.min.mjs": "onnxruntime.js",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm": "onnxruntime.wasm",
    "@huggingface/tokenizers/dist/tokenizers.min.mjs": "tokenizers.js",
    "@huggingface/tokenizers/LICENSE": "tokenizers-LICENSE.txt",
}


def build_space(name: str, out: Path) -> str:
    """Write the Space, and compare the vectors of its model with the package's before it is kept.

    Args:
        name: the checkpoint: a built-in name, a folder or a repository id.
        out: the folder to write; new or empty.

    Returns:
        A summary: the largest difference of the vectors, and the files with their sizes.

    Raises:
        ValueError: the checkpoint has no detector, is quantised or is too large, or ONNX gives other vectors.
        OSError: `out` holds something, the checkpoint was not found, or npm could not fetch a package.
        ImportError: packages of the extra `space` are missing.
    """
    with new_folder(out) as folder:
        with tempfile.TemporaryDirectory() as packages:  # first, because it may fail
            copy_files(fetch_packages(PAGE, Path(packages)), PACKAGE_FILES, folder / VENDOR)
        comparison = write_space(load_checkpoint(name), folder)
    return "\n".join([f"wrote {out}, a static Space", comparison, *list_sizes(out)])


def write_space(checkpoint: Checkpoint, folder: Path) -> str:
    """Write all files but those of npm; returns how the vectors of the model compare with the package's."""
    try:
        from .onnx_model import compare_vectors, write_onnx
    except ModuleNotFoundError as error:
        line = install_line("space")
        raise ImportError(f"nerret space needs more packages ({error}); install them with: {line}") from error
    for path in PAGE.iterdir():
        if path.suffix in PAGE_KINDS:
            shutil.copyfile(path, folder / path.name)
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, GivenSpans())
    write_onnx(checkpoint, folder / MODEL)
    queries = _type_names()
    difference = compare_vectors(encoder, folder / MODEL, queries)
    _write_tokenizer(encoder, folder)
    write_corpus(checkpoint, folder)
    _write_sizes(folder)
    return f"largest difference of a number in the vectors of {len(queries)} type queries: {difference:.1e}"


def _type_names() -> list[str]:
    """The types that are annotated in the demo corpus."""
    lines = Path(demo_corpus()).read_text(encoding="utf-8").splitlines()
    return sorted({mention["type"] for line in lines for mention in json.loads(line)["mentions"]})


def _write_tokenizer(encoder: Encoder, folder: Path) -> None:
    """Write tokenizer.json without the limits of batches, which cut and fill texts."""
    tokenizer: Any = encoder.tokenizer
    state = json.loads(tokenizer.backend_tokenizer.to_str()) | {"truncation": None, "padding": None}
    (folder / TOKENIZER).write_text(json.dumps(state, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_sizes(folder: Path) -> None:
    """Write the size of each large file, so that the page can show how far it has come."""
    paths = (MODEL, TOKENIZER, CORPUS, VECTORS, f"{VENDOR}/onnxruntime.wasm")
    sizes = {path: (folder / path).stat().st_size for path in paths if (folder / path).exists()}
    (folder / SIZES).write_text(json.dumps(sizes) + "\n", encoding="utf-8")
