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
