// Hits as elements. Texts become text nodes, never markup.

const PALEST = 0.15 // strength of the weakest colour

/** A list of hits. */
export function listHits(hits, name = 'hits') {
  const list = element('ol', { className: name })
  list.append(...hits.map(item))
  return list
}

/** An element with some properties and children. */
export function element(name, properties = {}, ...children) {
  const result = Object.assign(document.createElement(name), properties)
  result.append(...children)
  return result
}

/** A share in percent, as a text that does not break. */
export function percent(share) {
  return `${Math.round(100 * share)}\u00a0%`
}

function item({ document, mentions, chance }) {
  const about = element('div', { className: 'about' }, element('span', { className: 'id', textContent: document.id }))
  if (chance !== undefined) about.prepend(likelihood(chance))
  const text = element('p', { className: 'text', dir: 'auto' }, ...marks(document.text, mentions, chance ?? 1))
  return element('li', {}, about, text)
}

/** A text in pieces, its mentions marked, the best with the given strength. */
function marks(text, mentions, strength) {
  const best = Math.max(...mentions.map(mention => mention.score))
  let position = 0
  const pieces = mentions.flatMap(({ start, end, score }) => {
    const mark = element('mark', { textContent: text.slice(start, end) })
    setShare(mark, '--strength', strength * (best > 0 ? score / best : 1))
    const before = text.slice(position, start)
    position = end
    return [before, mark]
  })
  return [...pieces, text.slice(position)]
}

/** A bar, paler and shorter as the chance sinks, with the percentage beside it. */
function likelihood(chance) {
  const bar = element('i', { ariaHidden: 'true' })
  bar.style.setProperty('--chance', `${100 * chance}%`)
  setShare(bar, '--strength', chance)
  const words = element('span', { className: 'unseen', textContent: ' likely to be right' })
  return element('span', { className: 'chance' }, bar, element('b', { textContent: percent(chance) }), words)
}

function setShare(target, name, share) {
  target.style.setProperty(name, PALEST + (1 - PALEST) * Math.min(Math.max(share, 0), 1))
}
