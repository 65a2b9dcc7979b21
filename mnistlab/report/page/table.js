// Sorts the table of all runs by any column, and searches it for words.

function startTable() {
  const table = document.getElementById("runs-table");
  const rows = [...table.tBodies[0].rows].map((row) => ({
    row,
    values: [...row.cells].map(readCell),
    text: row.textContent.toLowerCase(),
  }));
  const headings = [...table.tHead.rows[0].cells];
  for (const [column, heading] of headings.entries()) {
    const button = element("button", { type: "button" }, heading.textContent);
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const sorted = sortRows(rows, column, descending);
      table.tBodies[0].append(...sorted.map((one) => one.row));
    });
  }
  startSearch(rows);
}

function readCell(cell) {
  const number = cell.querySelector("data");
  if (number) return Number(number.value);
  const text = cell.textContent.trim();
  return text === "–" ? null : text.toLowerCase();
}

// Numbers come before text, and what is missing comes last in either direction.
function sortRows(rows, column, descending) {
  const rank = (value) => (value === null || Number.isNaN(value) ? 2 : typeof value === "number" ? 0 : 1);
  const collator = new Intl.Collator("en", { numeric: true });
  const compare = (first, second) =>
    typeof first === "number" ? first - second : collator.compare(first, second);
  return [...rows].sort((one, other) => {
    const [first, second] = [one.values[column], other.values[column]];
    if (rank(first) !== rank(second)) return rank(first) - rank(second);
    if (rank(first) === 2) return 0;
    return descending ? compare(second, first) : compare(first, second);
  });
}

// Keeps the rows that contain every word.
function startSearch(rows) {
  const box = document.getElementById("words");
  const search = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const one of rows) one.row.hidden = !words.every((word) => one.text.includes(word));
    const shown = rows.filter((one) => !one.row.hidden).length;
    document.getElementById("count").textContent = `${shown} of ${rows.length} shown`;
  };
  box.addEventListener("input", search);
  document.getElementById("search").hidden = false;
  search();
}
