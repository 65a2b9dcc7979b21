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
