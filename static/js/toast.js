// One message at a time in the corner, said politely; it stays 8 seconds, longer under the pointer or the focus.
const STAYS_MS = 8000;
const place = document.getElementById("toasts");
const words = document.getElementById("words")?.dataset ?? {};
let timer;
let undo;

export function toast(text, { onUndo, stays = false } = {}) {
  clearTimeout(timer);
  undo = onUndo;
  const box = document.createElement("div");
  box.className = "toast";
  const said = document.createElement("span");
  said.textContent = text;
  box.append(said);
  if (onUndo) box.append(button(words.undo, undoLast, "z"));
  box.append(button("×", dismiss, "", words.dismiss));
  place.replaceChildren(box);
  if (!stays) wait();
}

function button(text, deed, key = "", name = "") {
  const made = document.createElement("button");
  made.className = "btn btn-s";
  made.type = "button";
  made.textContent = text;
  if (name) made.setAttribute("aria-label", name);
  if (key) {
    const shown = document.createElement("kbd");
    shown.textContent = key;
    shown.setAttribute("aria-hidden", "true");
    made.append(" ", shown);
  }
  made.addEventListener("click", deed);
  return made;
}

function wait() {
  clearTimeout(timer);
  timer = setTimeout(() => (place.matches(":hover, :focus-within") ? wait() : dismiss()), STAYS_MS);
}

export function dismiss() {
  clearTimeout(timer);
  undo = undefined;
  place.replaceChildren();
}

// Take back what the standing toast tells of; false if there is nothing to take back.
export function undoLast() {
  const last = undo;
  dismiss();
  last?.();
  return Boolean(last);
}

// Said to screen readers only.
export function say(text) {
  document.getElementById("said").textContent = text;
}
