{
  const table = document.getElementById('findings');
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const { compare } = new Intl.Collator('en', { numeric: true });
  const value = (row, column) => row.cells[column].dataset.order ?? row.cells[column].textContent;
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const isDescending = head.ariaSort ? head.ariaSort === 'ascending' : head.dataset.first === 'descending';
      for (const other of heads) other.removeAttribute('aria-sort');
      head.ariaSort = isDescending ? 'descending' : 'ascending';
      const sign = isDescending ? -1 : 1;
      const rows = [...body.rows].map(row => [value(row, column), row]);
      // What has no value comes last in both directions.
      rows.sort(([a], [b]) => (a === '') - (b === '') || sign * compare(a, b));
      body.append(...rows.map(([, row]) => row));
    });
  });
  const filter = document.createElement('input');
  filter.type = 'search';
  filter.placeholder = 'Show rows with…';
  filter.setAttribute('aria-label', 'Show only rows that hold this text');
  document.getElementById('tools').append(filter);
  filter.addEventListener('input', () => {
    const wanted = filter.value.toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}
