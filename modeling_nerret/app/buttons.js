// The buttons of an answer, and of the start page: each says what it wants in data-order.
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
element.addEventListener('toggle', event => { isOpen = event.target.open; }, true);
watch('value', () => {
  if (isOpen && suggestions()) suggestions().open = true;
  const focus = document.activeElement;
  if (order === null || focus && focus !== document.body && !element.contains(focus)) return;  // it went elsewhere
  const place = isInside && suggestions() || element;
  const name = order.slice(order.indexOf(' ') + 1);
  const buttons = [...place.querySelectorAll('.verdicts button')];
  const ends = button => button.dataset.order.slice(button.dataset.order.indexOf(' ') + 1) === name;
  (buttons.find(button => ends(button) && button.ariaPressed === 'true') || buttons.find(ends) || buttons[0])?.focus();
  order = null;
});
