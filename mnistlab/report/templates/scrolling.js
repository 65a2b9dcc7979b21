// Shows where a box that scrolls sideways goes on, and lets a phone show a figure large.

function startScrolling() {
  const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => markEdges(boxOf(target))));
  const watch = (box) => {
    box.addEventListener("scroll", () => markEdges(box), { passive: true });
    resized.observe(box);
    if (box.firstElementChild) resized.observe(box.firstElementChild);
  };
  document.querySelectorAll(".scroll").forEach(watch);
  // the comparison's tables are built anew for each pair of runs
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
      for (const node of addedNodes) if (node.matches?.(".scroll")) watch(node);
  }).observe(document.getElementById("main"), { childList: true, subtree: true });
}

function boxOf(target) {
  return target.closest(".scroll");
}

// Names in data-more the sides to which there is more; what is cut by less than a pixel is whole.
function markEdges(box) {
  if (box === null) return;
  const rest = box.scrollWidth - box.clientWidth - box.scrollLeft;
  const more = [box.scrollLeft > 1 ? "left" : "", rest > 1 ? "right" : ""].filter(Boolean).join(" ");
  if (box.dataset.more !== more) box.dataset.more = more;
}

function startFigures() {
  for (const picture of document.querySelectorAll(".drawing")) {
    const box = boxOf(picture);
    const button = element("button", { type: "button", class: "enlarge", "aria-pressed": "false" }, "Enlarge");
    box.classList.add("fitted");
    box.after(button);
    button.addEventListener("click", () => {
      const fitted = box.classList.toggle("fitted");
      button.setAttribute("aria-pressed", String(!fitted));
    });
  }
}
