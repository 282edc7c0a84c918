// The page: its form, its messages, and what it shows of an answer.

import { Engine } from './engine.js'
import { element, listHits } from './hits.js'

const FURTHER = 5 // documents shown after the end of an answer
const ABSENT = 0.5 // probability from which nothing is probably there

const form = document.querySelector('#ask')
const input = document.querySelector('#query')
const message = document.querySelector('#message')
const progress = document.querySelector('#progress')
const answer = document.querySelector('#answer')
const types = document.querySelector('#types')

let request = 0 // number of the newest search; the answer of an older one is not shown
export const engine = Engine.start(showProgress)

form.addEventListener('submit', event => {
  event.preventDefault()
  search()
})
document.addEventListener('click', event => {
  const query = event.target.closest('button[data-query]')?.dataset.query
  if (query) search((input.value = query))
})
engine.then(showStart, showFailure)

async function search() {
  const number = ++request
  try {
    const ready = await engine
    const result = await ready.search(input.value)
    if (number === request) showAnswer(result)
  } catch (error) {
    if (number === request) showFailure(error)
  }
}

function showProgress(bytes, total) {
  progress.value = bytes / total
  progress.textContent = `${Math.round((100 * bytes) / total)} %` // for readers that do not show the bar
}

function showStart({ corpus }) {
  progress.remove()
  say(`Ready. ${corpus.documents.length} texts with ${corpus.mentions.length.toLocaleString('en')} mentions, all in your browser.`)
  types.querySelector('ul').append(
    ...corpus.groups.map(({ name, examples }) =>
      element('li', {}, typeButton(name), element('span', { className: 'quiet', textContent: examples.join(', ') })),
    ),
  )
  types.hidden = corpus.groups.length === 0
}

function showFailure(error) {
  progress.remove()
  if (!(error instanceof RangeError)) console.error(error)
  say(error instanceof RangeError ? error.message : `That did not work: ${error.message}. Load the page again to try once more.`)
}

function showAnswer({ query, hits, length, absent }) {
  types.hidden = true
  const isEnd = hits.some(hit => hit.chance !== undefined)
  const pieces = length ? [listHits(hits.slice(0, length))] : []
  if (isEnd && length) pieces.push(element('h2', { className: 'end', textContent: 'Here the answer ends' }))
  if (isEnd) {
    const title = length ? 'The next texts, in case some of them are right after all' : 'The nearest texts, which are probably wrong'
    pieces.push(element('p', { className: 'after', textContent: title }))
    pieces.push(listHits(hits.slice(length, length + FURTHER), 'hits further'))
  }
  answer.replaceChildren(...pieces)
  say(summary(query, hits.slice(0, length), absent))
}

/** What an answer promises, in words. */
function summary(query, hits, absent) {
  if (!hits.length) {
    return absent >= ABSENT
      ? `Probably no text here mentions “${query}”. The nearest ones stand below.`
      : `No text is sure enough for “${query}”. The nearest ones stand below.`
  }
  const count = `${hits.length} ${hits.length === 1 ? 'text' : 'texts'} for “${query}”, the likeliest first.`
  if (hits[0].chance === undefined) return count
  const right = Math.round(hits.reduce((sum, hit) => sum + hit.chance, 0))
  return hits.length === 1 ? count : `${count} Probably about ${right} of them ${right === 1 ? 'is' : 'are'} right.`
}

function typeButton(name) {
  const button = element('button', { type: 'button', textContent: name })
  button.dataset.query = name
  return button
}

function say(text) {
  message.textContent = text
}
