// The model: from the words of a type to a vector of length 1, on the visitor's device.

import * as onnx from './vendor/onnxruntime.js'
import { Tokenizer } from './vendor/tokenizers.js'

const LONGEST = 200 // characters of a query

export class Model {
  /** Starts the model from the bytes of its file, its runtime's and its tokenizer's JSON. */
  static async start(weights, runtime, tokenizer) {
    onnx.env.wasm.wasmBinary = runtime
    onnx.env.wasm.numThreads = 1 // more need headers that a static Space cannot send
    const session = await onnx.InferenceSession.create(weights, { executionProviders: ['wasm'] })
    const model = new Model(session, new Tokenizer(tokenizer, {}))
    await model.embed('type') // the first run is slower than all others
    return model
  }

  constructor(session, tokenizer) {
    this.session = session
    this.tokenizer = tokenizer
  }

  /** The vector of a query. */
  async embed(query) {
    const ids = this.tokenizer.encode(query).ids
    const tensor = new onnx.Tensor('int64', BigInt64Array.from(ids, BigInt), [1, ids.length])
    const { vector } = await this.session.run({ ids: tensor })
    return vector.data
  }

  /** Whether a word of the query is a token of the model: others it has to spell. */
  knows(query) {
    return query.split(' ').some(word => /[\p{L}\p{N}]/u.test(word) && this.tokenizer.tokenize(word).length === 1)
  }
}

/** A query without superfluous blanks; refuses one that is empty or far too long. */
export function tidy(text) {
  const query = text.trim().replace(/\s+/g, ' ')
  if (!/[\p{L}\p{N}]/u.test(query)) throw new RangeError('Enter a type first: a few words such as “dinosaur” or “politician”.')
  if (query.length > LONGEST) throw new RangeError(`Use fewer words: a type may have ${LONGEST} characters.`)
  return query
}
