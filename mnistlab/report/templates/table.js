// Sorts and filters the table of all runs, and copies the command that repeats one.

// They name data, and no reader searches for a few letters of them.
const HASHES = ["key", "data_sha256"];

function startTable(facts) {
  const table = document.getElementById("runs-table");
  if (!table) return;
  let read = null; // the rows in their first order, read when they are first needed
  const rows = () => (read ??= readRows(table, facts));
  startSorting(table, rows);
  startFilter(rows, facts.keys);
  startColumns(table);
  startCopying(table);
}

function startSorting(table, rows) {
  const headings = [...table.tHead.rows[0].cells];
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
}

// Returns the table's rows: each with its cells' values to sort by, its facts, and its text.
function readRows(table, { same, varied }) {
  const columns = Object.entries(varied);
  const common = Object.entries(same);
  return [...table.tBodies[0].rows].map((row, at) => {
    const own = columns.map(([key, values]) => [key, values[at]]).filter(([, value]) => value !== null);
    const facts = new Map([...common, ...own]);
    const words = [...facts].filter(([key, value]) => typeof value === "string" && !HASHES.includes(key));
    const text = [row.textContent, ...words.map(([, value]) => value)].join("\n").toLowerCase();
    return { row, values: [...row.cells].map(readCell), facts, text };
  });
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

function startFilter(rows, keys) {
  const box = document.getElementById("filter-text");
  const said = document.getElementById("filter-count");
  box.addEventListener("input", () => {
    const { kept, told, fault } = judge(box.value, rows(), keys);
    rows().forEach((one, at) => (one.row.hidden = !kept[at]));
    said.textContent = told;
    said.classList.toggle("fault", fault);
    box.setAttribute("aria-invalid", String(fault));
  });
  document.getElementById("filter").hidden = false;
  document.getElementById("filter-help-box").hidden = false;
}

// Returns which rows a filter keeps, and what is said of it; one with a fault keeps them all.
function judge(text, rows, keys) {
  const all = { kept: rows.map(() => true), told: `${rows.length} shown`, fault: false };
  if (text.trim() === "") return all;
  try {
    const { kept, warning } = applyFilter(text, rows, keys);
    const told = `${kept.filter(Boolean).length} of ${rows.length} shown${warning && `; ${warning}`}`;
    return { kept, told, fault: warning !== "" };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return { ...all, told: `Not filtered: ${error.message}`, fault: true };
  }
}

function startColumns(table) {
  table.classList.add("brief");
  const button = document.getElementById("all-columns");
  button?.addEventListener("click", () => {
    const brief = table.classList.toggle("brief");
    button.setAttribute("aria-pressed", String(!brief));
  });
}

function startCopying(table) {
  table.classList.add("live");
  for (const row of table.tBodies[0].rows) {
    const command = row.querySelector(".command code");
    const label = `Copy the command for ${row.cells[0].firstElementChild.textContent}`;
    const button = element("button", { type: "button", "aria-label": label, title: command?.textContent }, "Copy");
    command?.before(button);
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
