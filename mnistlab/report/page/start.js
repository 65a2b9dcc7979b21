// Starts the page's parts: what needs nothing unpacked first.

async function start() {
  startTable();
  const models = await unpackModels(JSON.parse(document.getElementById("data").textContent));
  startCompare(models);
  startTry(models);
  document.documentElement.dataset.ready = "yes";
}

start();
