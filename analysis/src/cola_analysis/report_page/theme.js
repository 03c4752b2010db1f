// The theme switch: system, light or dark. Remembered where the browser lets a file remember.

const THEME_KEY = "cola-report-theme";

function remembered() {
  try {
    return localStorage.getItem(THEME_KEY);
  } catch {
    return null; // a file opened from disk may have no storage
  }
}

function applyTheme(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

function startTheme() {
  const choices = byId("theme");
  choices.hidden = false;
  const theme = remembered();
  applyTheme(theme);
  for (const radio of choices.querySelectorAll("input")) radio.checked = radio.value === (theme ?? "auto");
  choices.addEventListener("change", (event) => {
    applyTheme(event.target.value);
    try {
      localStorage.setItem(THEME_KEY, event.target.value);
    } catch {
      // not remembered, but applied
    }
  });
}
