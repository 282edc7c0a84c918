// From the files of the Space to answers.

import { download, parseJson, readJson, readTensors } from './files.js'
import { Model, tidy } from './model.js'
import { absence, promise } from './promises.js'
import { Ranking } from './ranking.js'
import { Words } from './words.js'

const FALLBACK = 10 // documents of an answer whose end is not known

export class Engine {
  /** Loads everything; `report(bytes, total)` hears of the progress. */
  static async start(report = () => {}) {
    const files = await download(await readJson('sizes.json'), report)
    const corpus = parseJson(files['corpus.json'])
    const tokenizer = parseJson(files['tokenizer.json'])
    const model = await Model.start(files['model.onnx'], files['vendor/onnxruntime.wasm'], tokenizer)
    return new Engine(model, corpus, readTensors(files['vectors.safetensors']))
  }

  constructor(model, corpus, tensors) {
    this.model = model
    this.corpus = corpus
    this.words = new Words(corpus.words)
    this.ranking = new Ranking(corpus, tensors, this.words)
  }

  /**
   * An answer: `{query, hits, length, absent}`. All documents are hits, best first; the first `length` are the answer.
   * `absent` is the probability that no document is right. Each hit has a `chance` to be right, if that is known.
   */
  async search(text) {
    const query = tidy(text)
    const vector = await this.model.embed(query)
    const hits = this.ranking.rank(query, vector)
    const { calibration } = this.corpus
    if (!calibration) return { query, hits, length: Math.min(FALLBACK, hits.length), absent: 0 }
    const isUnknown = !this.model.knows(query) && !this.words.termsOf(query).length
    const absent = absence(calibration, hits[0]?.score ?? 0, vector, isUnknown)
    const { chances, length } = promise(calibration, hits.map(hit => hit.score), absent)
    chances.forEach((chance, place) => (hits[place].chance = chance))
    return { query, hits, length, absent }
  }
}
