// How likely documents are right, and where an answer ends: from scores, as the package says it.

// How high the scores of right documents are differs between queries: assumptions about it, and their probabilities
const NODES = Array.from({ length: 41 }, (_, number) => -3.2 + 0.16 * number)
const PRIOR = NODES.map(node => Math.exp(-(node ** 2) / 2))
const WEIGHTS = PRIOR.map(weight => weight / PRIOR.reduce(sum))
const FIRST = 200 // documents that are looked at, and more if the last of them may well be right
const LEAST = 0.02 // probability of such a document
const MOST_ABSENT = 0.35 // probability that nothing is right, from which nothing is the answer
const LEAST_CHANCE = 0.1 // probability of a document of an answer

/** Probability that no document is right. */
export function absence(calibration, best, vector, isUnknown) {
  const { nonsense, absence: weights } = calibration
  const likeness = vector.reduce((total, value, at) => total + value * nonsense[at], nonsense[vector.length])
  return logistic([1, best, likeness, Number(isUnknown)].map((value, at) => value * weights[at]).reduce(sum))
}

/** `{chances, length}`: the probability of each document with some scores, best first, and how many are the answer. */
export function promise(calibration, scores, absent) {
  const { slope, bias, deviation } = calibration
  const assume = score => NODES.map(node => logistic(slope * score + bias + deviation * node))
  const mean = row => row.map((chance, at) => chance * WEIGHTS[at]).reduce(sum)
  let limit = FIRST
  while (limit < scores.length && mean(assume(scores[limit - 1])) >= LEAST) limit *= 4
  const table = scores.slice(0, limit).map(assume)
  const chances = table.map(row => (1 - absent) * mean(row))
  return { chances, length: absent >= MOST_ABSENT ? 0 : bestLength(table, chances) }
}

/** How many of the best documents have the largest expected F. */
function bestLength(table, chances) {
  const relevant = NODES.map((_, at) => table.map(row => row[at]).reduce(sum, 0))
  const right = NODES.map(() => 0)
  let [length, most] = [0, -1]
  table.forEach((row, place) => {
    row.forEach((chance, at) => (right[at] += chance))
    const score = right
      .map((count, at) => (2 * count * WEIGHTS[at]) / (place + 1 + Math.max(relevant[at], 1e-9)))
      .reduce(sum)
    if (score > most) [length, most] = [place + 1, score]
  })
  return Math.min(length, chances.filter(chance => chance >= LEAST_CHANCE).length)
}

function logistic(logit) {
  return 1 / (1 + Math.exp(-logit))
}

function sum(total, value) {
  return total + value
}
