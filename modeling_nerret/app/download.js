// A table that came is saved as a file. The mark in front tells spreadsheets that it is UTF-8.
watch('value', () => {
  if (!props.value) return;
  const address = URL.createObjectURL(new Blob(['\ufeff', props.value], {type: 'text/csv'}));
  Object.assign(document.createElement('a'), {href: address, download: props.file}).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
});
