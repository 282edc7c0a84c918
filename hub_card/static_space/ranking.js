// Ranks documents for a query by their mentions, their whole texts and their words, as the package does.

export class Ranking {
  /** `corpus` is the corpus file, `tensors` are its vectors, `words` are its `Words`. */
  constructor(corpus, tensors, words) {
    this.corpus = corpus
    this.words = words
    this.mentions = new Rows(tensors.mentions, tensors['mentions.scales'])
    this.windows = new Rows(tensors.windows, tensors['windows.scales'])
  }

  /** All documents, best first: `{document, score, mentions}` with the mentions to show in each. */
  rank(query, vector) {
    const { documents, weights } = this.corpus
    const mentions = documents.map(() => [])
    this.mentions.score(vector).forEach((score, row) => {
      const [owner, start, end] = this.corpus.mentions[row]
      mentions[owner].push({ start, end, score })
    })
    const windows = documents.map(() => [])
    this.windows.score(vector).forEach((score, row) => windows[this.corpus.windows[row]].push(score))
    const words = this.words.score(query)
    return documents
      .map((document, number) => {
        const best = largest(mentions[number].map(mention => mention.score))
        const score = hybrid(weights, best, largest(windows[number]), words[number])
        return { document, score, mentions: matches(mentions[number], Math.min(weights.match_score, best)) }
      })
      .sort((hit, other) => other.score - hit.score || (hit.document.id < other.document.id ? -1 : 1))
  }
}

/** Vectors in 16 bits. */
class Rows {
  constructor(vectors, scales) {
    ;[this.count, this.size] = vectors.shape
    this.numbers = vectors.numbers
    this.scales = scales.numbers
  }

  /** Their products with a query's vector. */
  score(vector) {
    const scores = new Float64Array(this.count)
    for (let row = 0; row < this.count; row++) {
      let sum = 0
      for (let at = 0, place = row * this.size; at < this.size; at++, place++) sum += this.numbers[place] * vector[at]
      scores[row] = sum * this.scales[row]
    }
    return scores
  }
}

/** The score of a document: of its best mention, of its text, and of its words. */
function hybrid(weights, mention, text, word) {
  const floor = Math.max(weights.document_floor * text - mention, 0) // what a weak mention lacks, the text makes good
  const words = (weights.lexical_weight * word) / (word + weights.lexical_half)
  return Math.fround(mention + weights.document_weight * text + floor + words)
}

/** Mentions from a score on, in order of their start; where some overlap, only the best stays. */
function matches(mentions, least) {
  const best = []
  for (const mention of mentions.filter(({ score }) => score >= least).sort((one, other) => other.score - one.score)) {
    if (best.every(({ start, end }) => mention.end <= start || end <= mention.start)) best.push(mention)
  }
  return best.sort((one, other) => one.start - other.start)
}

function largest(scores) {
  return scores.length ? scores.reduce((best, score) => Math.max(best, score)) : 0
}
