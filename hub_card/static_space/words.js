// What lexical search compares: the words of a query and of the texts, and BM25.

const INVISIBLE = /[\p{Default_Ignorable_Code_Point}]+/gu
const WORD = /[\p{L}\p{M}\p{N}]+/gu

export class Words {
  /** `table` is the part `words` of the corpus file. */
  constructor(table) {
    this.table = table
    this.terms = new Map(Object.entries(table.terms))
    this.places = new Map(Object.entries(table.places))
    this.total = table.lengths.reduce((sum, length) => sum + length, 0)
  }

  /** The different terms of a query that stand in a text. */
  termsOf(query) {
    const words = query.replace(INVISIBLE, '').normalize('NFKC').match(WORD) ?? []
    const terms = words.flatMap(word => this.terms.get(this.lettersOf(word)) ?? [])
    return [...new Set(terms)].filter(term => this.places.has(term)).sort()
  }

  /** BM25 scores of all documents. */
  score(query) {
    const { lengths, k1, b } = this.table
    const scores = new Float64Array(lengths.length)
    for (const term of this.termsOf(query)) {
      const places = this.places.get(term)
      const owners = places.length / 2
      const idf = Math.log1p((lengths.length - owners + 0.5) / (owners + 0.5))
      for (let at = 0; at < places.length; at += 2) {
        const [document, count] = [places[at], places[at + 1]]
        const norm = k1 * (1 - b + (b * lengths[document] * lengths.length) / Math.max(this.total, 1))
        scores[document] += (idf * count * (k1 + 1)) / (count + norm)
      }
    }
    return scores
  }

  /** The letters of a word without case and accents. */
  lettersOf(word) {
    const letters = word.toLowerCase().normalize('NFKD').replace(/[\u0300-\u036f]/g, '').normalize('NFC')
    return [...letters].map(letter => this.table.letters[letter] ?? letter).join('')
  }
}
