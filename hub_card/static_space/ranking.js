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
    const { weights } = this.corpus
    const shares = { windows: this.windowScores(vector), words: this.words.score(query) }
    const first = this.sort(vector, shares).slice(0, weights.feedback_documents)
    return this.sort(this.withFeedback(vector, first), shares).map(({ document, score, mentions, best }) => {
      return { document, score, mentions: matches(mentions, Math.min(weights.match_score, best)) }
    })
  }

  /** All documents, best first, with all their mentions and the best one's score. */
  sort(vector, { windows, words }) {
    const { documents, weights } = this.corpus
    const mentions = documents.map(() => [])
    this.mentions.score(vector).forEach((score, row) => {
      const [owner, start, end] = this.corpus.mentions[row]
      mentions[owner].push({ start, end, score, row })
    })
    return documents
      .map((document, number) => {
        const best = largest(mentions[number].map(mention => mention.score))
        const score = hybrid(weights, best, windows[number], words[number])
        return { document, score, mentions: mentions[number], best }
      })
      .sort((hit, other) => other.score - hit.score || (hit.document.id < other.document.id ? -1 : 1))
  }

  /** A query's vector, moved towards the best mentions of the first documents. */
  withFeedback(vector, first) {
    const examples = first
      .filter(({ mentions }) => mentions.length)
      .map(({ mentions, best }) => this.mentions.unit(mentions.find(({ score }) => score === best).row))
    if (!examples.length) return vector
    const weight = this.corpus.weights.feedback_weight / examples.length
    return unit(Array.from(vector, (number, at) => examples.reduce((sum, example) => sum + weight * example[at], number)))
  }

  /** The best score of each text's windows. */
  windowScores(vector) {
    const scores = this.corpus.documents.map(() => [])
    this.windows.score(vector).forEach((score, row) => scores[this.corpus.windows[row]].push(score))
    return scores.map(largest)
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

  /** The direction of one of them. */
  unit(row) {
    return unit(Array.from(this.numbers.slice(row * this.size, (row + 1) * this.size)))
  }
}

/** A vector of length 1 with the direction of another. */
function unit(vector) {
  const length = Math.hypot(...vector)
  return vector.map(number => number / length)
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
