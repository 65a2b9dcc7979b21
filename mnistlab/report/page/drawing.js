// Keeps what is drawn as strokes and as ink: painted here and not by the browser, the ink is the
// same everywhere, and can be taken back.

const SIDE = 280;

class Drawing {
  constructor() {
    this.clear();
  }

  get isEmpty() {
    return this.sample === null && this.strokes.length === 0;
  }

  clear() {
    this.ink = new Uint8Array(SIDE * SIDE);
    this.strokes = [];
    this.sample = null;
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

  begin(point, radius) {
    this.strokes.push({ points: [point], radius });
    paintSegment(this.ink, point, point, radius);
  }

  // Goes on with the last stroke; if it was cleared away meanwhile, there is none to go on with.
  extend(point) {
    if (this.strokes.length === 0) return;
    const { points, radius } = this.strokes[this.strokes.length - 1];
    paintSegment(this.ink, points[points.length - 1], point, radius);
    points.push(point);
  }

  undo() {
    const { sample, strokes } = this;
    const kept = strokes.slice(0, -1);
    this.clear();
    if (sample !== null && strokes.length > 0) this.load(sample);
    for (const { points, radius } of kept) {
      this.begin(points[0], radius);
      points.slice(1).forEach((point) => this.extend(point));
    }
  }

  // Returns the image of 28 x 28 bytes; a test image as it is, null where nothing is drawn.
  asImage() {
    return this.strokes.length === 0 ? this.sample : asDigit(this.ink, SIDE, SIDE);
  }
}

// Paints all pixels within `radius` of a line between two points [x, y], with a soft edge.
function paintSegment(ink, [x1, y1], [x2, y2], radius) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const length = dx * dx + dy * dy;
  const reach = radius + 1;
  const low = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - reach));
  const high = (a, b) => Math.min(SIDE - 1, Math.ceil(Math.max(a, b) + reach));
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
