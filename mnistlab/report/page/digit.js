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
