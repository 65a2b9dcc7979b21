// Starts the page's parts: what needs nothing unpacked first.

async function start() {
  startTheme();
  startScrolling();
  startFigures();
  const data = JSON.parse(document.getElementById("data").textContent);
  startTable(data.facts);
  const { models } = await unpackAll(data);
  startCompare(models);
  if (models.length > 0) startTry(models);
  document.documentElement.dataset.ready = "yes";
}

start();
