// Unpacks the arrays of the page's data: base64 of deflated bytes, little-endian.

async function unpack(text, Kind) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Kind(await new Response(stream).arrayBuffer());
}

// Returns the models of the page's data with their arrays and their test set.
async function unpackModels(data) {
  const sets = [];
  for (const set of data.sets) {
    const [pixels, size] = [await unpack(set.images, Uint8Array), set.height * set.width];
    const image = (at) => pixels.subarray(at * size, (at + 1) * size);
    const images = new Map(set.chosen.map((index, at) => [index, image(at)]));
    sets.push({ ...set, labels: await unpack(set.labels, Uint8Array), images });
  }
  const models = data.models.map(async (model) => ({
    ...model,
    set: model.set === null ? null : sets[model.set],
    predictions: model.predictions && (await unpack(model.predictions, Uint8Array)),
    weights: model.weights && (await unpack(model.weights, Float32Array)),
  }));
  return Promise.all(models);
}

// Builds an element; children are elements or text, so that no text ever becomes markup.
function element(tag, attributes, ...children) {
  const built = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) built.setAttribute(name, value);
  built.append(...children);
  return built;
}

function drawPixels(canvas, image) {
  const context = canvas.getContext("2d");
  const picture = context.createImageData(canvas.width, canvas.height);
  for (let at = 0; at < image.length; at++) picture.data[4 * at + 3] = image[at];
  context.putImageData(picture, 0, 0);
}

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

// Puts two runs side by side: their numbers, their configs, and the images on which they disagree.

const METRICS = ["train.loss", "train.accuracy", "validation.loss", "validation.accuracy", "test.loss", "test.accuracy"];

function startCompare(models) {
  if (models.length < 2) return;
  const controls = document.getElementById("compare");
  const selects = [...controls.querySelectorAll("select")];
  for (const [at, select] of selects.entries()) {
    select.append(...models.map((model, value) => element("option", { value }, `${model.title} – ${model.run}`)));
    select.selectedIndex = at;
  }
  const update = () => {
    const [first, second] = selects.map((select) => models[Number(select.value)]);
    document.getElementById("comparison").replaceChildren(...compareRuns(first, second));
  };
  for (const select of selects) select.addEventListener("change", update);
  document.getElementById("compare-note").hidden = true;
  controls.hidden = false;
  update();
}

function compareRuns(first, second) {
  if (first === second) return [element("p", { class: "note" }, "Choose two different runs.")];
  const names = first.title === second.title ? [first.run, second.run] : [first.title, second.title];
  const numbers = METRICS.map((key) => [key.replace(".", " ").replace("train", "training"), showNumber(first, key), showNumber(second, key)]);
  const keys = [...new Set([...Object.keys(first.config), ...Object.keys(second.config)])];
  const configs = keys
    .map((key) => [key, first.config[key] ?? "–", second.config[key] ?? "–"])
    .filter(([key, one, other]) => one !== other && key !== "name");
  return [
    buildTable("Results", ["", ...names], numbers),
    buildTable("Config, where it differs", ["", ...names], configs),
    ...compareAnswers(first, second, names),
  ];
}

function showNumber(model, key) {
  const number = model.numbers[key];
  if (!number) return "–";
  return element("data", { value: number.value, "data-run": number.run, "data-key": number.key }, number.shown);
}

function compareAnswers(first, second, names) {
  if (!first.predictions || !second.predictions || first.set === null || first.set !== second.set) {
    const why = "The two runs cannot be compared image by image: they have no predictions for the same test images.";
    return [element("p", { class: "note" }, why)];
  }
  const { labels, classes } = first.set;
  const kinds = { "both right": [], [`only ${names[0]} right`]: [], [`only ${names[1]} right`]: [], "both wrong": [] };
  const lists = Object.values(kinds);
  labels.forEach((label, at) => {
    const [one, other] = [first.predictions[at] === label, second.predictions[at] === label];
    lists[one ? (other ? 0 : 1) : other ? 2 : 3].push(at);
  });
  const count = (list, c) => String(list.filter((at) => labels[at] === c).length);
  const rows = [
    ["all", ...lists.map((list) => String(list.length))],
    ...classes.map((name, c) => [name, ...lists.map((list) => count(list, c))]),
  ];
  return [
    buildTable("Test images by which run classifies them correctly", ["class", ...Object.keys(kinds)], rows),
    showImages(lists[1], second, names[0]),
    showImages(lists[2], first, names[1]),
  ];
}

// Shows images that `loser` classifies wrongly and the run of this name rightly.
function showImages(indices, loser, name) {
  const { set } = loser;
  const shown = indices.filter((index) => set.images.has(index)).slice(0, 8);
  const tiles = shown.map((index) => {
    const size = { class: "pixels ink", width: set.width, height: set.height };
    const canvas = element("canvas", { ...size, role: "img", "aria-label": `Test image ${index}` });
    drawPixels(canvas, set.images.get(index));
    const [right, wrong] = [set.classes[set.labels[index]], set.classes[loser.predictions[index]]];
    return element("figure", {}, canvas, element("figcaption", {}, `${right}, not ${wrong}`));
  });
  const title = `Only ${name} is right: ${shown.length} of ${indices.length}`;
  const group = element("div", { class: "tiles", role: "group", "aria-label": title }, ...tiles);
  return element("div", {}, element("h3", {}, title), group);
}

// Builds a table in a box that scrolls, the first column its rows' headings.
function buildTable(caption, header, rows) {
  const heading = (name, at) => (name ? element("th", { scope: "col", class: at ? "n" : "" }, name) : element("td", {}));
  const cell = (content, at) => (at ? element("td", { class: "n" }, content) : element("th", { scope: "row" }, content));
  const body = rows.map((row) => element("tr", {}, ...row.map(cell)));
  const table = element("table", {}, element("caption", {}, caption), element("thead", {}, element("tr", {}, ...header.map(heading))), element("tbody", {}, ...body));
  return element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption }, table);
}
