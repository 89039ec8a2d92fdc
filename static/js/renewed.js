// A part of a page, renewed in place: when a bell rings, and every few seconds while somebody looks.  Machines and their
// logs, the progress of an import; [data-final] in the part says that nothing more will come.
import { listen } from "./live.js";
import { getFragment } from "./net.js";

const END_PX = 24;
const part = document.querySelector("[data-renew]");
const pause = document.getElementById("pause");
let busy = false;

function isSelecting() {
  const chosen = getSelection();
  return !chosen.isCollapsed && part.contains(chosen.anchorNode);
}

function isFinal() {
  return part.querySelector("[data-final]") !== null;
}

function mayRenew() {
  return !busy && !isFinal() && !document.hidden && pause?.getAttribute("aria-pressed") !== "true" && !isSelecting();
}

async function renew() {
  if (!mayRenew()) return;
  busy = true;
  try {
    put(await getFragment(part.dataset.renew));
  } catch {
    // The next turn asks again.
  }
  busy = false;
}

// Focus stays on the button it was on; a log stays where it was read, or at its end.
function put(fresh) {
  const focused = document.activeElement;
  const held = part.contains(focused) ? focused.id : "";
  const log = part.querySelector(".log");
  const at = log && !isAtEnd(log) ? log.scrollTop : null;
  const wasInLog = log !== null && focused === log;
  part.replaceChildren(fresh);
  if (held) document.getElementById(held)?.focus({ preventScroll: true });
  const renewed = part.querySelector(".log");
  if (!renewed) return;
  renewed.scrollTop = at ?? renewed.scrollHeight;
  if (wasInLog) renewed.focus({ preventScroll: true });
}

function isAtEnd(log) {
  return log.scrollHeight - log.scrollTop - log.clientHeight < END_PX;
}

if (part) {
  const log = part.querySelector(".log");
  if (log) log.scrollTop = log.scrollHeight;
  setInterval(renew, Number(part.dataset.every) * 1000);
  document.addEventListener("visibilitychange", renew);
  listen((bell) => {
    if (["machines", "tree", "refresh"].includes(bell.topic)) renew();
  });
}

pause?.addEventListener("click", () => {
  const paused = pause.getAttribute("aria-pressed") !== "true";
  pause.setAttribute("aria-pressed", paused);
  document.getElementById("following").hidden = paused;
  renew();
});
