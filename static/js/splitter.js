// The line between list and message: dragged, or moved by keys; the size is remembered in this browser.
const root = document.documentElement.style;
const STEP = 16;
const splitter = document.querySelector(".splitter");
const list = document.querySelector(".pane-list");
const isRow = splitter.getAttribute("aria-orientation") === "horizontal";
const key = isRow ? "list-height" : "list-width";
const name = isRow ? "--list-h" : "--list-w";
const limit = (which) => Number(splitter.getAttribute(`aria-value${which}`));
const size = () => Math.round(isRow ? list.offsetHeight : list.offsetWidth);

function set(pixels) {
  const wanted = Math.min(Math.max(pixels, limit("min")), limit("max"));
  root.setProperty(name, `${wanted}px`);
  splitter.setAttribute("aria-valuenow", wanted);
  localStorage.setItem(key, wanted);
}

function reset() {
  root.removeProperty(name);
  localStorage.removeItem(key);
  splitter.setAttribute("aria-valuenow", size());
}

function onKey(event) {
  const less = isRow ? "ArrowUp" : "ArrowLeft";
  const more = isRow ? "ArrowDown" : "ArrowRight";
  const wanted = { [less]: size() - STEP, [more]: size() + STEP, Home: limit("min"), End: limit("max") }[event.key];
  if (wanted === undefined) return;
  event.preventDefault();
  set(wanted);
}

function onDrag(event) {
  const box = list.getBoundingClientRect();
  set(Math.round(isRow ? event.clientY - box.top : event.clientX - box.left));
}

export function start() {
  const stored = Number(localStorage.getItem(key));
  if (stored) set(stored);
  splitter.setAttribute("aria-valuenow", size());
  splitter.addEventListener("keydown", onKey);
  splitter.addEventListener("dblclick", reset);
  splitter.addEventListener("pointerdown", (event) => {
    splitter.setPointerCapture(event.pointerId);
    splitter.addEventListener("pointermove", onDrag);
  });
  splitter.addEventListener("lostpointercapture", () => splitter.removeEventListener("pointermove", onDrag));
}
