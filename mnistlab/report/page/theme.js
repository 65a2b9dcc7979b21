// Lets the reader choose light or dark where the system's choice is not wanted.

const THEMES = ["as the system", "light", "dark"];

function startTheme() {
  const button = document.getElementById("theme");
  let chosen = 0;
  button.addEventListener("click", () => {
    chosen = (chosen + 1) % THEMES.length;
    if (chosen === 0) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = THEMES[chosen];
    button.textContent = `Theme: ${THEMES[chosen]}`;
  });
  button.hidden = false;
}
