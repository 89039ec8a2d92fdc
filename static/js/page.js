// On every page: light or dark, menus that close, and controls that only a script can carry out.
import { post } from "./net.js";

const root = document.documentElement;
root.dataset.script = "";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) document.cookie = `zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

// After a form was refused: the first field in error, else what blocks.
(document.querySelector("[aria-invalid=true]") ?? document.querySelector("[role=alert][tabindex]"))?.focus();

// Signed in, the choice is kept: the next page comes in it.
function switchTheme({ dataset }) {
  root.dataset.theme = isDark() ? "light" : "dark";
  if (dataset.save) post(dataset.save, new URLSearchParams({ theme: root.dataset.theme })).catch(() => {});
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do=theme]");
  if (button) switchTheme(button);
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
    event.preventDefault();
  } else if (location.hash === "#folders") {
    location.hash = "";
  }
});
