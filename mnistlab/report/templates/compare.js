// Puts two chosen runs side by side: metrics, config, and the images on which they flip.

const METRIC_NAMES = {
  "train.loss": "training loss",
  "train.accuracy": "training accuracy",
  "validation.loss": "validation loss",
  "validation.accuracy": "validation accuracy",
  "test.loss": "test loss",
  "test.accuracy": "test accuracy",
  trained_epochs: "epochs",
  "seconds.total": "seconds",
};

const FLIPS_SHOWN = 8;

function startCompare(models) {
  const controls = document.getElementById("compare-controls");
  if (!controls) return;
  const selects = [...controls.querySelectorAll("select")];
  const update = () => {
    const [first, second] = selects.map((select) => models[Number(select.value)]);
    document.getElementById("comparison").replaceChildren(...compareRuns(first, second));
  };
  for (const select of selects) select.addEventListener("change", update);
  controls.hidden = false;
  update();
}

function compareRuns(first, second) {
  if (first === second) return [element("p", { class: "note" }, "Choose two different runs.")];
  const names = first.title === second.title ? [first.run, second.run] : [first.title, second.title];
  return [
    compareMetrics(first, second, names),
    compareConfigs(first, second, names),
    ...compareAnswers(first, second, names),
  ];
}

function compareMetrics(first, second, names) {
  const keys = Object.keys(METRIC_NAMES).filter((key) => key in first.metrics || key in second.metrics);
  const rows = keys.map((key) => {
    const [one, other] = [first.metrics[key], second.metrics[key]];
    const known = typeof one === "number" && typeof other === "number";
    return [
      METRIC_NAMES[key],
      metricCell(first.run, key, one),
      metricCell(second.run, key, other),
      known ? signed(other - one, key) : "–",
    ];
  });
  return buildTable("Metrics", ["", ...names, "difference"], rows, 1);
}

function compareConfigs(first, second, names) {
  const keys = [...new Set([...Object.keys(first.config), ...Object.keys(second.config)])];
  const text = (value) => (value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));
  const rows = keys
    .map((key) => [key, text(first.config[key]), text(second.config[key])])
    .filter(([key, one, other]) => one !== other && key !== "name");
  if (rows.length === 0) return element("p", {}, "Their configs are the same.");
  return buildTable("Config, where it differs", ["", ...names], rows, 9);
}

function compareAnswers(first, second, names) {
  if (!first.predictions || !second.predictions || first.set === null || first.set !== second.set) {
    const why = "The two runs cannot be compared image by image: they have no predictions for the same test images.";
    return [element("p", { class: "note" }, why)];
  }
  const set = first.set;
  const flips = countFlips(first.predictions, second.predictions, set.labels, set.classes);
  const count = ({ both, onlyFirst, onlySecond, none }) => [both, onlyFirst, onlySecond, none].map(String);
  const rows = [["all", ...count(flips.total)], ...set.classes.map((name, c) => [name, ...count(flips.byClass[c])])];
  const header = ["class", "both right", `only ${names[0]}`, `only ${names[1]}`, "both wrong"];
  return [
    element("p", { id: "flips" }, sayFlips(flips, names)),
    buildTable("Test images by who is right", header, rows, 1),
    showFlips(flips.images.onlyFirst, first, second, names),
    showFlips(flips.images.onlySecond, second, first, [...names].reverse()),
  ];
}

function sayFlips({ total, p }, names) {
  const apart = total.onlyFirst + total.onlySecond;
  if (apart === 0) return "They get the same test images right.";
  const judged = p < 0.05 ? "would be rare by chance" : "may well be chance";
  return (
    `${apart} test images flip: ${total.onlyFirst} only ${names[0]} gets right, ` +
    `${total.onlySecond} only ${names[1]}. By McNemar's exact test such a difference ${judged} ` +
    `(p = ${p < 1e-4 ? p.toExponential(2) : p.toPrecision(3)}).`
  );
}

function showFlips(indices, winner, loser, names) {
  const set = winner.set;
  const shown = indices.filter((index) => set.images.has(index)).slice(0, FLIPS_SHOWN);
  const tiles = shown.map((index) => {
    const size = { class: "pixels ink", width: set.width, height: set.height };
    const canvas = element("canvas", { ...size, role: "img", "aria-label": `Test image ${index}` });
    drawPixels(canvas, set.images.get(index));
    const [right, wrong] = [set.classes[set.labels[index]], set.classes[loser.predictions[index]]];
    return element("figure", {}, canvas, element("figcaption", {}, `${right}, not ${wrong}`));
  });
  const title = `Only ${names[0]} gets right: ${shown.length} of ${indices.length}`;
  const group = element("div", { class: "tiles", role: "group", "aria-label": title }, ...tiles);
  return element("div", {}, element("h3", {}, title), group);
}

function metricCell(run, key, value) {
  if (typeof value !== "number") return "–";
  return element("data", { value, "data-run": run, "data-key": key }, showMetric(value, key));
}

function showMetric(value, key) {
  if (key.endsWith("accuracy")) return `${(100 * value).toFixed(2)}%`;
  return key.endsWith("loss") ? value.toFixed(4) : String(Number(value.toPrecision(4)));
}

function signed(difference, key) {
  // a difference of two shares is one of percentage points
  const shown = showMetric(Math.abs(difference), key).replace("%", " pp");
  return `${difference < 0 ? "−" : "+"}${shown}`;
}

// Builds a table in a box that scrolls; columns from `numeric` on are set flush right.
function buildTable(caption, header, rows, numeric) {
  const kind = (at) => (at >= numeric ? { class: "n" } : {});
  const head = element("tr", {}, ...header.map((name, at) => element(name ? "th" : "td", { ...(name && { scope: "col" }), ...kind(at) }, name)));
  const body = rows.map((row) =>
    element("tr", {}, ...row.map((cell, at) => element(at ? "td" : "th", at ? kind(at) : { scope: "row" }, cell))),
  );
  const table = element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, ...body));
  return element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption }, table);
}
