// The list: one tab stop, arrows inside, a selection, and refreshing without losing the place.
import { say } from "./toast.js";

export const grid = document.getElementById("rows");
const words = document.getElementById("words").dataset;
const sent = new WeakMap(); // row → the HTML it came as, to tell whether a newer one differs
let current = null;
let anchor = null; // where a range of ticks begins

export const rows = () => [...grid.querySelectorAll(".row")];
export const rowOf = (id) => document.getElementById(`m${id}`);
export const currentRow = () => (current?.isConnected ? current : null);
export const everything = () => document.querySelector(".select-rest input")?.checked === true;
export const ticked = () => rows().filter((row) => pick(row).checked);
const pick = (row) => row.querySelector(".pick");
const link = (row) => row.querySelector(".row-link");
const controls = (row) => [link(row), pick(row), ...row.querySelectorAll("button")];

export function adopt(row) {
  sent.set(row, row.outerHTML);
  for (const control of controls(row)) control.tabIndex = -1;
  if (row === currentRow()) link(row).tabIndex = 0;
}

export function setCurrent(row) {
  if (current) {
    current.classList.remove("is-focused");
    link(current).tabIndex = -1;
  }
  current = row;
  if (row) link(row).tabIndex = 0;
}

export function focusRow(row) {
  if (!row) return;
  setCurrent(row);
  row.classList.add("is-focused");
  link(row).focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

export function neighbour(row, step) {
  const all = rows();
  return row ? all[all.indexOf(row) + step] : all[0];
}

export function tick(row, on = !pick(row).checked) {
  pick(row).checked = on;
  row.setAttribute("aria-selected", on);
}

export function tickAll(on) {
  for (const row of rows()) tick(row, on);
  count();
}

// Tell how many are ticked, on the screen and to those who listen.
export function count() {
  const chosen = ticked().length;
  if (!chosen || chosen < rows().length) forgetEverything();
  const text = words.selected.replace("%", chosen);
  document.getElementById("selected").textContent = text;
  say(chosen ? text : "");
  for (const all of document.querySelectorAll("[data-do=select-all]")) {
    all.checked = chosen > 0 && chosen === rows().length;
    all.indeterminate = chosen > 0 && !all.checked;
  }
}

// Nothing but what is ticked is meant any more.
function forgetEverything() {
  const rest = document.querySelector(".select-rest input");
  if (rest) rest.checked = false;
}

function tickRange(row) {
  const all = rows();
  const [from, to] = [all.indexOf(anchor), all.indexOf(row)].sort((a, b) => a - b);
  for (const between of all.slice(Math.max(from, 0), to + 1)) tick(between, pick(row).checked);
}

// Change a row's marks before the server has answered.
export function mark(row, { unread, starred }) {
  if (unread !== undefined) row.classList.toggle("is-unread", unread);
  if (starred !== undefined) {
    const star = row.querySelector(".star");
    star.setAttribute("aria-pressed", starred);
    star.value = starred ? "unstar" : "star";
  }
}

export const isUnread = (row) => row.classList.contains("is-unread");
export const isStarred = (row) => row.querySelector(".star").getAttribute("aria-pressed") === "true";

export function showOpen(id) {
  for (const row of grid.querySelectorAll(".row.is-open")) row.classList.remove("is-open");
  rowOf(id)?.classList.add("is-open");
}

// Put `fragment`, the rows as they are now, in the place of those shown; returns the unread rows that are new on top.
export function merge(fragment) {
  const opened = grid.querySelector(".row.is-open")?.dataset.id;
  const place = rows().indexOf(currentRow());
  const held = document.activeElement?.closest?.(".row") === currentRow() && currentRow() !== null;
  const known = new Set(rows().map((row) => row.dataset.id));
  const wanted = [...fragment.children].map(reuse);
  arrange(wanted);
  const top = rows();
  if (!currentRow()) setCurrent(top[Math.min(Math.max(place, 0), top.length - 1)] ?? null);
  if (held && !grid.contains(document.activeElement)) focusRow(currentRow());
  if (opened) showOpen(opened);
  if (!document.querySelector("#list .pick:checked")) anchor = null;
  count();
  return top.filter((row) => isUnread(row) && !known.has(row.dataset.id));
}

// The row that is already shown where it is the same, else the new one with the old one's tick.
function reuse(fresh) {
  const shown = fresh.id ? document.getElementById(fresh.id) : null;
  if (!fresh.matches(".row")) return shown?.outerHTML === fresh.outerHTML ? shown : fresh;
  if (shown && sent.get(shown) === fresh.outerHTML) return shown;
  adopt(fresh);
  if (shown) {
    tick(fresh, pick(shown).checked);
    if (shown === current) replaceCurrent(fresh);
  }
  return fresh;
}

function replaceCurrent(fresh) {
  const focused = document.activeElement === link(current);
  const classes = current.classList.contains("is-focused");
  current = fresh;
  link(fresh).tabIndex = 0;
  fresh.classList.toggle("is-focused", classes);
  if (focused) queueMicrotask(() => link(fresh).focus({ preventScroll: true }));
}

// Make the children of the grid these nodes, moving as little as possible: what stays keeps focus and scroll.
function arrange(wanted) {
  const keep = new Set(wanted);
  for (const child of [...grid.childNodes]) if (!keep.has(child)) child.remove();
  let at = grid.firstChild;
  for (const node of wanted) {
    if (node === at) at = at.nextSibling;
    else grid.insertBefore(node, at);
  }
}

// Add an older page at the end; its first heading goes where the last one shown says the same.
export function append(fragment) {
  document.getElementById("older")?.remove();
  const last = [...grid.querySelectorAll(".day")].at(-1);
  const first = fragment.firstElementChild;
  if (last && first?.matches(".day") && first.textContent === last.textContent) first.remove();
  for (const row of fragment.querySelectorAll(".row")) {
    if (rowOf(row.dataset.id)) row.remove();
    else adopt(row);
  }
  grid.append(...fragment.children);
}

function onKey(event) {
  const row = event.target.closest(".row");
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) focusRow(neighbour(row, step));
  else if (event.key === "Home") focusRow(rows()[0]);
  else if (event.key === "End") focusRow(rows().at(-1));
  else if (event.key === "ArrowRight" || event.key === "ArrowLeft") within(row, event);
  else return;
  event.preventDefault();
}

function within(row, event) {
  const all = controls(row).filter((control) => control.offsetParent);
  const next = all.indexOf(event.target) + (event.key === "ArrowRight" ? 1 : -1);
  (all[Math.max(0, next)] ?? all.at(-1)).focus();
}

export function start() {
  for (const row of rows()) adopt(row);
  setCurrent(grid.querySelector(".row.is-open") ?? rows()[0] ?? null);
  grid.addEventListener("keydown", onKey);
  grid.addEventListener("focusin", (event) => {
    const row = event.target.closest(".row");
    if (row && row !== current) setCurrent(row);
  });
  grid.addEventListener("click", (event) => {
    if (!event.target.matches(".pick")) return;
    const row = event.target.closest(".row");
    if (event.shiftKey && anchor) tickRange(row);
    anchor = row;
  });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-do=select-all]")) tickAll(event.target.checked);
    else if (event.target.matches("#rows .pick")) tick(event.target.closest(".row"), event.target.checked);
    else return;
    count();
  });
  document.getElementById("list").addEventListener("reset", () => setTimeout(() => tickAll(false)));
}
