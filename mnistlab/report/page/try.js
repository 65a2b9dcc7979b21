// Lets one draw a digit, by pointer or by keyboard, and shows what each model makes of it.

const [STEP, SMALL_STEP] = [12, 3]; // pixels of the field that an arrow key moves the pen
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function softmax(a) {
  const largest = Math.max(...a);
  const parts = a.map((one) => Math.exp(one - largest));
  const whole = parts.reduce((sum, one) => sum + one, 0);
  return parts.map((one) => one / whole);
}

// Returns a model's outputs for an image of bytes; weights are (D + 1) x C, biases last.
function classify(model, image) {
  const C = model.set.classes.length;
  const D = image.length;
  const a = Array.from(model.weights.subarray(D * C));
  for (let d = 0; d < D; d++) {
    if (image[d] === 0) continue;
    for (let c = 0; c < C; c++) a[c] += image[d] * model.weights[d * C + c];
  }
  const outputs = model.model === "sigmoid" ? a.map((one) => 1 / (1 + Math.exp(-one))) : a;
  return model.probabilities ? softmax(outputs) : outputs;
}

function startTry(models) {
  if (models.length === 0) return;
  const cards = models.map(buildCard);
  document.getElementById("models").append(...cards.map((card) => card.root));
  document.getElementById("draw").hidden = false;
  document.getElementById("draw-note").hidden = true;
  const canvas = document.getElementById("canvas");
  const drawing = new Drawing();
  let [waiting, words] = [false, ""];
  const show = () => {
    waiting = false;
    drawPixels(canvas, drawing.ink);
    const { image } = drawing;
    words = cards.map((card) => card.show(image)).filter(Boolean).join(", ");
  };
  const update = () => {
    if (!waiting) requestAnimationFrame(show);
    waiting = true;
  };
  // Tells the answers too: after a stroke, not at each move of the pen.
  const done = () => {
    show();
    document.getElementById("said").textContent = words ? `${words}.` : "Nothing is drawn yet.";
  };
  startPointer(drawing, canvas, update, done);
  startKeyboard(drawing, canvas, update, done);
  document.getElementById("clear").addEventListener("click", () => (drawing.clear(), done()));
  startSamples(drawing, done, models.find((model) => model.weights)?.set);
}

function startPointer(drawing, canvas, update, done) {
  let pointer = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    drawing.begin(place(event));
    update();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const moves = event.getCoalescedEvents?.() ?? [];
    for (const one of moves.length ? moves : [event]) drawing.extend(place(one));
    update();
  });
  for (const name of ["pointerup", "pointercancel"])
    canvas.addEventListener(name, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      done();
    });
}

function startKeyboard(drawing, canvas, update, done) {
  const pen = document.getElementById("pen");
  let [x, y, isDown] = [SIDE / 2, SIDE / 4, false];
  const move = ([right, down], step) => {
    const inside = (at) => Math.min(SIDE, Math.max(0, at));
    [x, y] = [inside(x + right * step), inside(y + down * step)];
    if (isDown) drawing.extend([x, y]);
    update();
  };
  const setDown = (down) => {
    isDown = down;
    if (down) drawing.begin([x, y]);
    done();
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in ARROWS) move(ARROWS[event.key], event.shiftKey ? SMALL_STEP : STEP);
    else if (event.key === " ") setDown(!isDown);
    else if (event.key === "Delete") (drawing.clear(), setDown(false));
    else return;
    event.preventDefault();
    pen.hidden = false;
    pen.style.left = `${(100 * x) / SIDE}%`;
    pen.style.top = `${(100 * y) / SIDE}%`;
    pen.classList.toggle("down", isDown);
  });
  for (const name of ["pointerdown", "blur"])
    canvas.addEventListener(name, () => ((isDown = false), (pen.hidden = true)));
}

// Adds a button for each class, which loads one test image of it after the other.
function startSamples(drawing, done, set) {
  const buttons = (set?.classes ?? []).map((name, c) => {
    const images = set.chosen.filter((index) => set.labels[index] === c);
    let next = 0;
    const button = element("button", { type: "button", "aria-label": `Load a test image of ${name}` }, name);
    button.disabled = images.length === 0;
    button.addEventListener("click", () => {
      drawing.load(set.images.get(images[next++ % images.length]));
      done();
    });
    return button;
  });
  document.getElementById("samples").append(...buttons);
}

// Builds what shows a model's answer; `show` takes an image or null and returns the answer in words.
function buildCard(model) {
  const heading = element("h3", {}, model.title);
  if (!model.weights) {
    const why = element("p", { class: "note" }, `Cannot be tried: ${model.why}.`);
    return { root: element("article", { class: "card" }, heading, why), show: () => "" };
  }
  const size = { class: "pixels ink", width: FIELD, height: FIELD };
  const seen = element("canvas", { ...size, role: "img", "aria-label": "What the model sees" });
  const leading = element("output", {}, "–");
  const bars = model.set.classes.map(buildBar);
  const kind = model.probabilities ? "probabilities" : "outputs";
  const list = element("ul", { class: "bars", "aria-label": `Its ${kind}` }, ...bars.map((bar) => bar.root));
  const sight = element("div", { class: "sight" }, leading, seen);
  const root = element("article", { class: "card", "data-run": model.run }, heading, sight, list, element("p", { class: "note" }, kind));
  const show = (image) => {
    const sight = image && model.moves.reduce((moved, name) => MOVES[name](moved), image);
    const outputs = sight ? classify(model, sight) : [];
    const best = outputs.indexOf(Math.max(...outputs));
    drawPixels(seen, sight ?? new Uint8Array(FIELD * FIELD));
    leading.textContent = model.set.classes[best] ?? "–";
    bars.forEach((bar, c) => bar.show(outputs[c] ?? null, Math.max(1, ...outputs), c === best));
    return sight ? `${model.title}: ${model.set.classes[best]} (${outputs[best].toFixed(2)})` : "";
  };
  return { root, show };
}

function buildBar(name) {
  const fill = element("i", {});
  const number = element("span", { class: "value" }, "–");
  const track = element("span", { class: "track", "aria-hidden": "true" }, fill);
  const root = element("li", {}, element("span", { class: "name" }, name), track, number);
  const show = (value, scale, leads) => {
    fill.style.transform = `scaleX(${value === null ? 0 : Math.max(0, value) / scale})`;
    number.textContent = value === null ? "–" : value.toFixed(2).replace("-", "−");
    root.classList.toggle("leads", leads);
  };
  return { root, show };
}

async function start() {
  startTable();
  const models = await unpackModels(JSON.parse(document.getElementById("data").textContent));
  startCompare(models);
  startTry(models);
  document.documentElement.dataset.ready = "yes";
}

start();
