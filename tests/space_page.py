"""Ask the modules of the static Space's page for their answers, in Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_nerret.hub_card.space_build import PAGE

SCRIPT = """
import { readFileSync } from 'node:fs'
const [page, space] = process.argv.slice(-2)
const load = name => import(`file://${page}/${name}.js`)
const [{ parseJson, readTensors }, { Ranking }, { Words }, promises] =
  await Promise.all(['files', 'ranking', 'words', 'promises'].map(load))
const corpus = parseJson(readFileSync(`${space}/corpus.json`))
const tensors = readTensors(new Uint8Array(readFileSync(`${space}/vectors.safetensors`)))
const ranking = new Ranking(corpus, tensors, new Words(corpus.words))
const answers = JSON.parse(readFileSync(0)).map(({ query, vector }) => {
  const hits = ranking.rank(query, vector)
  const marks = hits.map(hit => hit.mentions.map(({ start, end }) => hit.document.text.slice(start, end)))
  const answer = { ids: hits.map(hit => hit.document.id), scores: hits.map(hit => hit.score), marks }
  if (!corpus.calibration) return answer
  const absent = promises.absence(corpus.calibration, hits[0].score, vector, false)
  return { ...answer, absent, ...promises.promise(corpus.calibration, answer.scores, absent) }
})
console.log(JSON.stringify(answers))
"""


def ask_page(space: Path, queries: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """What the page answers to queries with some vectors: ids, scores, marks and promises."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is missing")
    questions = [{"query": query, "vector": vector.tolist()} for query, vector in queries.items()]
    command = [node, "--input-type=module", "--eval", SCRIPT, "--", str(PAGE), str(space)]
    process = subprocess.run(command, input=json.dumps(questions), capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr[-3000:]
    answers: list[dict[str, Any]] = json.loads(process.stdout)
    return answers
