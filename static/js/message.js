// The message beside the list, or on top of it: opened without loading the page again; the address follows, Back works.
import { currentRow, focusRow, grid, isUnread, neighbour, rowOf, rows, setCurrent, showOpen } from "./list.js";
import { getFragment } from "./net.js";
import { sized } from "./frames.js";

const PATIENCE_MS = 200; // no skeleton for what comes sooner
const FRESH_MS = 60_000;
const MAX_HELD = 12;
const app = document.querySelector(".app");
const panes = document.getElementById("panes");
const pane = document.getElementById("message");
const nothing = pane.dataset.opened ? null : [...pane.childNodes];
const held = new Map(); // address → { at, promise }: messages fetched ahead
const readAfter = Number(panes.dataset.readAfter);
let onShown = () => {};
let reading;
let opened = pane.dataset.opened ?? "";
let asked = 0;

export const openId = () => opened;
export const openRow = () => (opened ? rowOf(opened) : null);
const href = (row) => row.querySelector(".row-link").href;
export const isOnePane = () => getComputedStyle(document.querySelector(".splitter")).display === "none";
const idIn = (address) => new URL(address, location.href).pathname.match(/\/message\/(\d+)$/)?.[1] ?? "";

function fragment(address) {
  const known = held.get(address);
  if (known && performance.now() - known.at < FRESH_MS) return known.promise;
  const url = new URL(address, location.href);
  url.searchParams.set("fragment", "message");
  const promise = getFragment(url).then((nodes) => [...nodes.children].map((node) => node.outerHTML).join(""));
  held.set(address, { at: performance.now(), promise });
  promise.catch(() => held.delete(address));
  if (held.size > MAX_HELD) held.delete(held.keys().next().value);
  return promise;
}

export const forget = () => held.clear();

// Fetch what a row would open, so that opening it waits for nothing.
export function prefetch(row) {
  if (row && !navigator.connection?.saveData) fragment(href(row)).catch(() => {});
}

export function open(row) {
  return show(href(row), { push: true, row });
}

// Show the message at `address`; `push` adds a step to the browser's history.
export async function show(address, { push = false, row = rowOf(idIn(address)), focus = isOnePane() } = {}) {
  const turn = ++asked;
  opened = row?.dataset.id ?? idIn(address); // a folded message belongs to its conversation's row
  if (row) setCurrent(row);
  showOpen(opened);
  if (push && address !== location.href) history.pushState({}, "", address);
  app.dataset.view = "message";
  clearTimeout(reading);
  const patience = setTimeout(() => turn === asked && waiting(), PATIENCE_MS);
  try {
    const html = await fragment(address);
    if (turn !== asked) return;
    pane.innerHTML = html;
    settle(row, focus);
  } catch (error) {
    if (turn === asked) failed(address, error);
  } finally {
    clearTimeout(patience);
  }
}

function settle(row, focus) {
  pane.removeAttribute("aria-busy");
  sized(pane);
  pointAtNeighbours();
  if (focus) pane.querySelector(".subject :is(h1, h2)")?.focus();
  if (row && isUnread(row) && readAfter >= 0) reading = setTimeout(() => onShown(row), readAfter * 1000);
  for (const step of [1, -1]) prefetch(neighbour(row ?? currentRow(), step));
}

// Called with a row once its message was shown for the delay the person chose.
export function whenRead(deed) {
  onShown = deed;
}

function waiting() {
  const shape = document.createElement("div");
  shape.className = "message skeletons";
  for (const width of ["w-6", "w-3", "w-9", "w-9", "w-6"]) {
    const line = document.createElement("span");
    line.className = `skeleton ${width}`;
    shape.append(line);
  }
  pane.setAttribute("aria-busy", "true");
  pane.replaceChildren(shape);
}

function failed(address, error) {
  pane.removeAttribute("aria-busy");
  const template = document.getElementById("not-shown").content.cloneNode(true);
  template.querySelector("p").textContent = error.message;
  template.querySelector("a").href = address;
  pane.replaceChildren(template);
}

// The arrows of the message's bar lead to its neighbours in the list as it is now.
export function pointAtNeighbours() {
  const row = openRow();
  for (const [name, step] of [["newer", -1], ["older", 1]]) {
    const arrow = pane.querySelector(`[data-do=${name}]`);
    if (!arrow) continue;
    const next = row ? neighbour(row, step) : null;
    arrow.hidden = !next;
    if (next) arrow.href = href(next);
  }
}

export function close({ push = true } = {}) {
  asked += 1;
  clearTimeout(reading);
  if (push && opened) history.pushState({}, "", panes.dataset.url);
  opened = "";
  showOpen("");
  app.dataset.view = "list";
  if (nothing) pane.replaceChildren(...nothing);
  else pane.replaceChildren();
}

// Where a link leads that shows a message: a row's, an arrow's, or one inside the message to it or another of its kind.
function messageAddress(link) {
  if (idIn(link.href) && link.matches(".row-link, [data-do=newer], [data-do=older], [data-open]")) return link.href;
  const own = pane.contains(link) && new URL(link.href).pathname.match(/\/mail\/message\/(\d+)$/);
  if (!own || panes.dataset.folder === "0") return null; // found messages are of many folders
  const address = new URL(panes.dataset.url, location.href);
  address.pathname += `/message/${own[1]}`;
  for (const [name, value] of new URL(link.href).searchParams) address.searchParams.set(name, value);
  return address.href;
}

function onClick(event) {
  if (event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.("a[href]");
  if (!link || link.origin !== location.origin) return;
  if (link.matches("[data-do=back]")) {
    event.preventDefault();
    return toList();
  }
  const address = messageAddress(link);
  if (!address) return;
  event.preventDefault();
  const row = rowOf(idIn(address)) ?? openRow();
  show(address, { push: link.matches(".row-link, [data-do]"), row, focus: isOnePane() && !pane.contains(link) });
}

function onBack() {
  const here = new URL(location.href);
  const folder = (path) => path.match(/\/folder\/(\d+)/)?.[1];
  if ((folder(here.pathname) ?? "0") !== panes.dataset.folder) location.reload();
  else if (idIn(location.href)) show(location.href);
  else if (here.searchParams.toString() !== new URL(panes.dataset.url, here).searchParams.toString()) location.reload();
  else toList({ push: false });
}

// Close the message; focus and scroll are on the row that was left.
export function toList(options) {
  const row = openRow() ?? currentRow();
  close(options);
  focusRow(row);
}

export function start() {
  document.addEventListener("click", onClick);
  addEventListener("popstate", onBack);
  grid.addEventListener("pointerover", (event) => {
    const row = event.target.closest(".row");
    if (row && event.pointerType === "mouse") prefetchSoon(row);
  });
  if (opened) settle(openRow(), false);
  else rows().slice(0, 1).forEach(prefetch);
}

let hover;
function prefetchSoon(row) {
  clearTimeout(hover);
  hover = setTimeout(() => prefetch(row), 80);
}
