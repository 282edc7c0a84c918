// The buttons of an answer, and of the start page: each says what it wants in data-order, or in data-copy what it copies
// (empty: the text of its card).
// An answer is drawn anew, so the button that had the focus and the unfolded suggestions are looked up again.
let order = null, isInside = false, isOpen = false;
const suggestions = () => element.querySelector('details.judge');
element.addEventListener('click', event => {
  const button = event.target.closest('button[data-order]');
  if (!button) return;
  window.nerretOrder = order = button.dataset.order;
  isInside = Boolean(button.closest('details.judge'));
  trigger('click');
});
const copy = async text => {
  try { await navigator.clipboard.writeText(text); return true; } catch { /* not allowed here: the old way */ }
  const box = Object.assign(document.createElement('textarea'), {value: text});
  const focus = document.activeElement;
  document.body.append(box);
  box.select();
  const isDone = document.execCommand('copy');
  box.remove();
  focus?.focus();
  return isDone;
};
element.addEventListener('click', async event => {
  const button = event.target.closest('button[data-copy]');
  if (!button || button.dataset.label) return;
  const text = button.dataset.copy || button.closest('li').querySelector('.text').innerText;
  button.dataset.label = button.textContent;
  button.textContent = await copy(text) ? 'Copied' : 'Not allowed by the browser';
  setTimeout(() => { button.textContent = button.dataset.label; delete button.dataset.label; }, 2000);
});
element.addEventListener('toggle', event => { isOpen = event.target.open; }, true);
watch('value', () => {
  if (isOpen && suggestions()) suggestions().open = true;
  const focus = document.activeElement;
  if (order === null || focus && focus !== document.body && !element.contains(focus)) return;  // it went elsewhere
  const place = isInside && suggestions() || element;
  const name = order.slice(order.indexOf(' ') + 1);
  const buttons = [...place.querySelectorAll('.verdicts button[data-order]')];
  const ends = button => button.dataset.order.slice(button.dataset.order.indexOf(' ') + 1) === name;
  (buttons.find(button => ends(button) && button.ariaPressed === 'true') || buttons.find(ends) || buttons[0])?.focus();
  order = null;
});
