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
