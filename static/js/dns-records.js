// Suggested DNS records: checked again in place, and values copied by a button.
import { getFragment, Refused } from "./net.js";

const part = document.getElementById("records");
const again = document.getElementById("again");
const words = document.getElementById("words").dataset;
const DONE_MS = 2000;

function say(text) {
  document.getElementById("said").textContent = text;
}

// What somebody opened or closed stays so.
function put(fresh) {
  const open = new Map([...part.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
  part.replaceChildren(fresh);
  for (const one of part.querySelectorAll("details[id]")) one.open ||= open.get(one.id) ?? false;
}

again?.addEventListener("click", async (event) => {
  event.preventDefault();
  if (again.getAttribute("aria-busy") === "true") return;
  again.setAttribute("aria-busy", "true");
  say("");
  try {
    put(await getFragment(`${again.href}?fragment=1`));
    say(words.checked);
  } catch (error) {
    say(error instanceof Refused ? error.message : words.offline);
  }
  again.removeAttribute("aria-busy");
});

function copyBySelecting(code) {
  const range = document.createRange();
  range.selectNodeContents(code);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  return document.execCommand("copy"); // where the page is not https there is no clipboard
}

async function copy(code) {
  if (navigator.clipboard) await navigator.clipboard.writeText(code.textContent);
  else if (!copyBySelecting(code)) throw new Error("not copied");
}

part?.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const label = button.querySelector("span");
  const before = label.textContent;
  if (before === words.copied) return;
  try {
    await copy(button.parentElement.querySelector("code"));
  } catch {
    copyBySelecting(button.parentElement.querySelector("code")); // selected at least, for the keyboard
    return;
  }
  label.textContent = words.copied;
  say(words.copied);
  setTimeout(() => (label.textContent = before), DONE_MS);
});
