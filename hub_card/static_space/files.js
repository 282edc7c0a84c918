// Files of the Space, and how much of them has come.

const BASE = new URL('.', import.meta.url)

/** Fetches files at once. Returns their bytes by path; `report(bytes, total)` hears of the progress. */
export async function download(sizes, report) {
  const total = Object.values(sizes).reduce((sum, size) => sum + size, 0)
  let bytes = 0
  const entries = Object.keys(sizes).map(async path => [
    path,
    await read(path, length => report((bytes += length), total)),
  ])
  return Object.fromEntries(await Promise.all(entries))
}

/** A small JSON file. */
export async function readJson(path) {
  return parseJson(await read(path))
}

/** Bytes as JSON. */
export function parseJson(bytes) {
  return JSON.parse(new TextDecoder().decode(bytes))
}

/** The tensors of a safetensors file, by name: views of 16-bit whole numbers or 32-bit floating-point numbers. */
export function readTensors(bytes) {
  const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  const header = parseJson(bytes.subarray(8, 8 + size))
  const kinds = { I16: Int16Array, F32: Float32Array }
  const tensors = {}
  for (const [name, { dtype, shape, data_offsets: [first, last] }] of Object.entries(header)) {
    if (name === '__metadata__') continue
    tensors[name] = { shape, numbers: new kinds[dtype](bytes.slice(8 + size + first, 8 + size + last).buffer) }
  }
  return tensors
}

async function read(path, report = () => {}) {
  const response = await fetch(new URL(path, BASE))
  if (!response.ok) throw new Error(`${path} could not be loaded (${response.status})`)
  const parts = []
  for (const reader = response.body.getReader(); ;) {
    const { done, value } = await reader.read()
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer())
    parts.push(value)
    report(value.length)
  }
}
