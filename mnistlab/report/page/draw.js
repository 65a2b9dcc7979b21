// Brings a drawing into the form of MNIST's images, and sets it upright, as mnistlab's own
// datasets/picture.py and datasets/preprocess.py do, down to how they round.

const FIELD = 28;
const BOX = 20;
const FAINT = 16 / 255; // parts of the darkest ink that do not count for a digit's extent

// Returns an image of 28 x 28 bytes of ink (rows x columns, 0 to 255); null where there is none.
function asDigit(ink, height, width) {
  const cropped = cropInk(ink, height, width);
  if (cropped === null) return null;
  const scale = Math.min(BOX / cropped.height, BOX / cropped.width);
  const rows = Math.max(1, roundEven(cropped.height * scale));
  const columns = Math.max(1, roundEven(cropped.width * scale));
  const across = resizeRows(cropped.ink, cropped.height, cropped.width, columns);
  const down = resizeRows(transpose(across, cropped.height, columns), columns, cropped.height, rows);
  const digit = Float64Array.from(transpose(down, columns, rows));
  const brightest = 255 / digit.reduce((most, one) => Math.max(most, one), 0);
  for (let at = 0; at < digit.length; at++) digit[at] *= brightest;
  const top = startOf(sums(digit, rows, columns));
  const left = startOf(sums(transpose(digit, rows, columns), columns, rows));
  const field = new Uint8Array(FIELD * FIELD);
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++)
      field[(top + y) * FIELD + left + x] = roundEven(digit[y * columns + x]);
  return field;
}

function cropInk(ink, height, width) {
  const clear = FAINT * ink.reduce((most, one) => Math.max(most, one), 0);
  let [top, bottom, left, right] = [height, -1, width, -1];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      if (ink[y * width + x] > clear) {
        top = Math.min(top, y);
        bottom = y;
        left = Math.min(left, x);
        right = Math.max(right, x);
      }
  if (bottom < 0) return null;
  const [rows, columns] = [bottom - top + 1, right - left + 1];
  const cropped = new Float32Array(rows * columns);
  for (let y = 0; y < rows; y++)
    for (let x = 0; x < columns; x++) cropped[y * columns + x] = ink[(top + y) * width + left + x];
  return { ink: cropped, height: rows, width: columns };
}

// Resizes each row to `columns` pixels by the Hamming-windowed filter of Pillow's `resize`.
function resizeRows(image, height, width, columns) {
  if (columns === width) return image;
  const resized = new Float32Array(height * columns);
  const scale = width / columns;
  const support = Math.max(scale, 1);
  for (let to = 0; to < columns; to++) {
    const centre = (to + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(width, Math.trunc(centre + support + 0.5));
    const parts = [];
    let whole = 0;
    for (let from = first; from < end; from++) {
      parts.push(hamming((from - centre + 0.5) / support));
      whole += parts[parts.length - 1];
    }
    for (let y = 0; y < height; y++) {
      let sum = 0;
      parts.forEach((part, at) => (sum += image[y * width + first + at] * (part / whole)));
      resized[y * columns + to] = sum;
    }
  }
  return resized;
}

function hamming(x) {
  if (x === 0) return 1;
  if (Math.abs(x) >= 1) return 0;
  const turn = Math.abs(x) * Math.PI;
  return (Math.sin(turn) / turn) * (0.54 + 0.46 * Math.cos(turn));
}

// Returns where ink starts whose mass, line by line, is to have its centre at pixel 14.
function startOf(mass) {
  const total = mass.reduce((sum, one) => sum + one, 0);
  const centre = mass.reduce((sum, one, at) => sum + one * at, 0) / total;
  return Math.min(FIELD - mass.length, Math.max(0, roundEven(FIELD / 2 - centre)));
}

function sums(image, height, width) {
  return Array.from({ length: height }, (_, y) =>
    image.subarray(y * width, (y + 1) * width).reduce((sum, one) => sum + one, 0),
  );
}

function transpose(image, height, width) {
  const turned = new image.constructor(image.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) turned[x * height + y] = image[y * width + x];
  return turned;
}

function roundEven(value) {
  const below = Math.floor(value);
  return value - below === 0.5 ? below + Math.abs(below % 2) : Math.round(value);
}

// Returns an image of 28 x 28 bytes set upright, its mass in the middle.
function deskew(image) {
  const rowMass = sums(image, FIELD, FIELD);
  const rowMoment = rowMass.map((_, y) => {
    let moment = 0;
    for (let x = 0; x < FIELD; x++) moment += x * image[y * FIELD + x];
    return moment;
  });
  const mass = rowMass.reduce((sum, one) => sum + one, 0);
  if (mass === 0) return image;
  const meanX = rowMoment.reduce((sum, one) => sum + one, 0) / mass;
  const meanY = rowMass.reduce((sum, one, y) => sum + one * y, 0) / mass;
  let [covariance, variance] = [0, 0];
  for (let y = 0; y < FIELD; y++) {
    covariance += (y - meanY) * (rowMoment[y] - meanX * rowMass[y]);
    variance += (y - meanY) ** 2 * rowMass[y];
  }
  const slant = variance === 0 ? 0 : covariance / variance;
  const centre = (FIELD - 1) / 2;
  const turned = transpose(Float32Array.from(image), FIELD, FIELD);
  const level = transpose(shiftLines(turned, () => meanY - centre), FIELD, FIELD);
  const upright = shiftLines(level, (y) => meanX - centre + slant * (y - centre));
  return Uint8Array.from(upright, roundEven);
}

// Reads line m at `by(m)` further on, linearly between two pixels; outside all is 0.
function shiftLines(lines, by) {
  const shifted = new Float32Array(lines.length);
  for (let line = 0; line < FIELD; line++) {
    const whole = Math.floor(by(line));
    const part = Math.fround(by(line) - whole);
    const pixel = (at) => (at < 0 || at >= FIELD ? 0 : lines[line * FIELD + at]);
    for (let at = 0; at < FIELD; at++) {
      const [here, there] = [pixel(at + whole), pixel(at + whole + 1)];
      shifted[line * FIELD + at] = here + Math.fround(Math.fround(there - here) * part);
    }
  }
  return shifted;
}

const MOVES = { deskew };

// Keeps what is drawn as ink: painted here and not by the browser, it is the same everywhere.

const SIDE = 280;

class Drawing {
  constructor() {
    this.clear();
  }

  clear() {
    this.ink = new Uint8Array(SIDE * SIDE);
    this.sample = null;
    this.at = null;
  }

  // The image of 28 x 28 bytes: a test image as it is, null where nothing is drawn.
  get image() {
    return this.sample ?? asDigit(this.ink, SIDE, SIDE);
  }

  // Shows a test image of 28 x 28 bytes instead of what was drawn.
  load(image) {
    this.clear();
    this.sample = image;
    const times = SIDE / FIELD;
    for (let y = 0; y < SIDE; y++)
      for (let x = 0; x < SIDE; x++)
        this.ink[y * SIDE + x] = image[Math.floor(y / times) * FIELD + Math.floor(x / times)];
  }

  begin(point) {
    this.at = point;
    this.extend(point);
  }

  // Goes on with the stroke; if it was cleared away meanwhile, there is none to go on with.
  extend(point) {
    if (this.at === null) return;
    paintSegment(this.ink, this.at, point, Number(document.getElementById("width").value) / 2);
    this.at = point;
    this.sample = null;
  }
}

// Paints all pixels within `radius` of a line between two points [x, y], with a soft edge.
function paintSegment(ink, [x1, y1], [x2, y2], radius) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const length = dx * dx + dy * dy;
  const low = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - radius - 1));
  const high = (a, b) => Math.min(SIDE - 1, Math.ceil(Math.max(a, b) + radius + 1));
  for (let y = low(y1, y2); y <= high(y1, y2); y++)
    for (let x = low(x1, x2); x <= high(x1, x2); x++) {
      const [px, py] = [x + 0.5 - x1, y + 0.5 - y1];
      const along = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
      const distance = Math.hypot(px - along * dx, py - along * dy);
      const covered = Math.min(1, Math.max(0, radius - distance + 0.5));
      const at = y * SIDE + x;
      ink[at] = Math.max(ink[at], Math.round(255 * covered));
    }
}

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
