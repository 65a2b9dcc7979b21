// Starts the page's parts: what needs no data first.

async function start() {
  startTheme();
  startTable();
  const data = JSON.parse(document.getElementById("data").textContent);
  const { models } = await unpackAll(data);
  startCompare(models);
  if (models.length > 0) startTry(models);
  document.documentElement.dataset.ready = "yes";
}

start();
