// Sorts and filters the table of all runs, and copies the command that repeats one.

const CONDITION = /^([\w.]+)(>=|<=|!=|==|=|>|<)(.+)$/;

const COMPARISONS = {
  ">=": (order) => order >= 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  "<": (order) => order < 0,
  "=": (order) => order === 0,
  "==": (order) => order === 0,
  "!=": (order) => order !== 0,
};

function startTable() {
  const table = document.getElementById("runs-table");
  if (!table) return;
  const headings = [...table.tHead.rows[0].cells];
  const keys = headings.map((heading) => heading.dataset.key);
  let read = null; // the rows' values, read when they are first needed
  const rows = () => (read ??= [...table.tBodies[0].rows].map(readRow));

  for (const [column, heading] of headings.entries()) {
    if (heading.dataset.key === "command") continue;
    const button = element("button", { type: "button" }, heading.textContent);
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const sorted = sortRows(rows(), column, descending);
      table.tBodies[0].append(...sorted.map((one) => one.row));
    });
  }
  startFilter(rows, keys);
  startCopying(table);
}

function readRow(row) {
  const values = [...row.cells].map((cell) => {
    const number = cell.querySelector("data");
    if (number) return Number(number.value);
    const text = cell.textContent.trim();
    return text === "–" ? null : text.toLowerCase();
  });
  return { row, values, text: row.textContent.toLowerCase() };
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

function startFilter(rows, keys) {
  const box = document.getElementById("filter-text");
  const count = document.getElementById("filter-count");
  box.addEventListener("input", () => {
    const tests = parseFilter(box.value, keys);
    const kept = rows().map((one) => tests.every((test) => test(one)));
    rows().forEach((one, at) => (one.row.hidden = !kept[at]));
    const number = kept.filter(Boolean).length;
    count.textContent = number === kept.length ? `${number} shown` : `${number} of ${kept.length} shown`;
  });
  document.getElementById("filter").hidden = false;
  document.getElementById("filter-help-box").hidden = false;
}

function parseFilter(text, keys) {
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .map((term) => {
      const [, key, sign, wanted] = CONDITION.exec(term) ?? [];
      const column = keys.indexOf(key);
      if (column < 0) return (one) => one.text.includes(term);
      return (one) => meets(one.values[column], sign, wanted);
    });
}

function meets(value, sign, wanted) {
  if (value === null) return false;
  if (typeof value === "number") {
    const number = wanted.endsWith("%") ? Number(wanted.slice(0, -1)) / 100 : Number(wanted);
    return !Number.isNaN(number) && COMPARISONS[sign](value - number);
  }
  const same = value === wanted || value.split(/\s+/).includes(wanted);
  return COMPARISONS[sign](same ? 0 : value < wanted ? -1 : 1);
}

function startCopying(table) {
  for (const row of table.tBodies[0].rows) {
    const cell = row.cells[row.cells.length - 1];
    const name = row.cells[0].firstElementChild.textContent;
    cell.prepend(element("button", { type: "button", "aria-label": `Copy the command for ${name}` }, "Copy"));
  }
  table.tBodies[0].addEventListener("click", async (event) => {
    const button = event.target.closest(".command button");
    if (!button) return;
    const copied = await copyText(button.nextElementSibling);
    button.textContent = copied ? "Copied" : "Selected";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}

// Returns whether the text is in the clipboard; where the browser refuses, it is selected.
async function copyText(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(source);
    return document.execCommand("copy");
  }
}
