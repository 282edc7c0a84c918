// The box for files. They are sent one after the other; a search waits for them. What was chosen outlives the box, which
// is drawn anew when it is shown again. Names of files only ever become text.
const box = element.querySelector('.upload');
const rules = JSON.parse(box.dataset.rules);
const [state, bar, list] = ['.state', 'progress', 'ul'].map(name => box.querySelector(name));
const removal = box.querySelector('button');
const choice = window.nerretFiles ??= {
  key: Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join(''),
  files: new Map(), faults: [], others: 0, busy: Promise.resolve(), waiting: 0,
};
const megabytes = bytes => bytes < 100_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
const total = () => [...choice.files.values()].reduce((sum, size) => sum + size, 0);
const address = name => `files/${choice.key}?name=${encodeURIComponent(name)}`;
const part = (tag, text, name = '') => Object.assign(document.createElement(tag), {textContent: text, className: name});

const draw = () => {
  const live = document.querySelector('.upload');
  if (live !== box) return;  // another box has taken the place of this one
  const count = choice.files.size;
  const others = choice.others ? ` ${choice.others} of other kinds or hidden left out.` : '';
  const sum = count ? `${count} ${count === 1 ? 'file' : 'files'}, ${megabytes(total())}.` : '';
  state.textContent = (choice.waiting ? `Sending: ${choice.waiting} to go. ` : '') + sum + others;
  bar.hidden = !choice.waiting;
  removal.hidden = !count && !choice.faults.length;
  list.replaceChildren(
    ...choice.faults.slice(0, 50).map(([name, reason]) => part('li', `${name}: ${reason}`, 'fault')),
    ...[...choice.files].slice(0, 50).map(([name, size]) => {
      const row = part('li', `${name} (${megabytes(size)})`), button = part('button', 'Remove');
      Object.assign(button, {type: 'button', ariaLabel: `Remove ${name}`, onclick: () => remove(name)});
      row.append(button);
      return row;
    }),
    ...(count > 50 ? [part('li', `and ${count - 50} more`)] : []));
};
const remove = async name => {
  if (name) choice.files.delete(name);
  else { choice.files.clear(); choice.faults = []; choice.others = 0; }
  draw();
  (list.querySelector('button') ?? box.querySelector('input')).focus();
  await choice.busy.catch(() => {});
  await fetch(name ? address(name) : `files/${choice.key}`, {method: 'DELETE'}).catch(() => {});
};
const send = (file, name) => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest();
  request.open('PUT', address(name));
  request.setRequestHeader('content-type', 'application/octet-stream');
  request.upload.onprogress = event => { bar.value = event.total ? event.loaded / event.total : 1; };
  request.onload = () => {
    if (request.status === 200) return resolve();
    try { reject(JSON.parse(request.responseText).detail); } catch { reject(`the server answered ${request.status}`); }
  };
  request.onerror = () => reject('the server could not be reached, or refused it');
  request.send(file);
});
const fault = (file, name) => {
  if (file.size > rules.fileBytes) return `it is larger than ${megabytes(rules.fileBytes)}, the most for a file`;
  if (choice.files.size >= rules.files) return `this page takes at most ${rules.files} files`;
  if (total() + file.size > rules.bytes) return `with it, your files have more than ${megabytes(rules.bytes)}`;
  return '';
};
const isOther = name => {
  const parts = name.toLowerCase().split('/');
  const packing = rules.packings.find(end => parts.at(-1).endsWith(end)) ?? '';
  const base = packing ? parts.at(-1).slice(0, -packing.length) : parts.at(-1);
  return parts.some(part => part.startsWith('.') || part.startsWith('~$')) || !rules.suffixes.some(end => base.endsWith(end));
};
// entries: pairs of a file and its path. What a folder has of other kinds is counted; a file that was chosen is named.
const add = (entries, isFolder) => {
  const chosen = [];
  for (const [file, name] of entries) {
    if (isFolder && isOther(name)) choice.others += 1;
    else chosen.push([file, name]);
  }
  choice.waiting += chosen.length;
  choice.busy = choice.busy.then(async () => {
    for (const [file, name] of chosen) {
      draw();
      try {
        const reason = choice.files.has(name) ? '' : fault(file, name);
        if (reason) throw reason;
        await send(file, name);
        choice.files.set(name, file.size);
      } catch (reason) { choice.faults.push([name, String(reason)]); }
      choice.waiting -= 1;
    }
    draw();
  });
  draw();
};
const walk = async (entry, prefix = '') => {
  if (entry.isFile) return [[await new Promise((done, fail) => entry.file(done, fail)), prefix + entry.name]];
  const reader = entry.createReader(), pairs = [];
  for (;;) {
    const entries = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!entries.length) return pairs;
    for (const inner of entries) pairs.push(...await walk(inner, `${prefix}${entry.name}/`));
  }
};
box.addEventListener('change', event => {
  const files = [...event.target.files];
  add(files.map(file => [file, file.webkitRelativePath || file.name]), event.target.webkitdirectory);
  event.target.value = '';
});
box.addEventListener('dragover', event => { event.preventDefault(); box.classList.add('over'); });
box.addEventListener('dragleave', () => box.classList.remove('over'));
box.addEventListener('drop', async event => {
  event.preventDefault();
  box.classList.remove('over');
  const entries = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry()).filter(Boolean);
  for (const entry of entries) add(await walk(entry), entry.isDirectory);
});
removal.addEventListener('click', () => remove(''));
if (!('webkitdirectory' in document.createElement('input'))) box.querySelector('.folder').hidden = true;
draw();
