// Single keys, as Gmail has them; off inside fields, and where the person switched them off.
import * as actions from "./actions.js";
import { whenKeyInside } from "./frames.js";
import * as list from "./list.js";
import * as message from "./message.js";
import { getFragment } from "./net.js";
import { undoLast } from "./toast.js";

const panes = document.getElementById("panes");
const SEQUENCE_MS = 1500;
let prefix = "";
let prefixTimer;

const inFolder = (name) => panes.dataset.role === name;
const go = (selector) => document.querySelector(selector)?.click();
const goTo = (role) => {
  const here = document.querySelector("#tree [aria-current]")?.closest(".account");
  (here ?? document).querySelector(`[data-role=${role}]`)?.click();
};
const press = (name) => document.querySelector(`#message [data-do=${name}]`)?.click();

function move(step) {
  const row = list.neighbour(message.openRow() ?? list.currentRow(), step);
  if (!row) return;
  if (message.openId() && !message.isOnePane()) message.open(row);
  else if (message.openId()) return message.open(row);
  list.focusRow(row);
}

function toggleStar() {
  const row = message.openRow() ?? list.currentRow();
  if (row) actions.act(list.isStarred(row) ? "unstar" : "star");
}

function toggleTick() {
  const row = list.currentRow();
  if (!row) return;
  list.tick(row);
  list.count();
}

function escape() {
  if (list.ticked().length) list.tickAll(false);
  else if (message.openId()) back();
}

function back() {
  if (message.openId()) message.toList();
}

function openMoveMenu() {
  if (!list.ticked().length && !message.openId()) toggleTick();
  const bar = list.ticked().length ? ".bar.is-selection" : "#message";
  const menu = document.querySelector(`${bar} .move-menu`);
  if (!menu) return;
  menu.open = true;
  menu.querySelector(".menu-item")?.focus();
}

// The sheet of keys, fetched the first time somebody asks.
async function showSheet() {
  if (!document.getElementById("keys")) {
    const fragment = await getFragment(panes.dataset.sheet);
    if (!document.getElementById("keys")) document.body.append(fragment);
  }
  const sheet = document.getElementById("keys");
  if (!sheet.open) sheet.showModal();
  sheet.onclick = (event) => event.target === sheet && sheet.close();
}

export const table = {
  j: () => move(1),
  k: () => move(-1),
  o: () => list.currentRow() && message.open(list.currentRow()),
  u: back,
  x: toggleTick,
  e: () => inFolder("archive") || actions.act("archive"),
  "#": () => actions.act("delete"),
  Delete: () => actions.act("delete"),
  "!": () => actions.act(inFolder("junk") ? "not-junk" : "junk"),
  s: toggleStar,
  I: () => actions.act("read"),
  U: () => actions.act("unread"),
  v: openMoveMenu,
  z: undoLast,
  r: () => press("reply"),
  a: () => press("reply-all"),
  f: () => press("forward"),
  c: () => go(".compose-button"),
  "/": () => document.getElementById("search")?.select(),
  "?": showSheet,
  Escape: escape,
  "g i": () => goTo("inbox"),
  "g d": () => goTo("drafts"),
  "g t": () => goTo("sent"),
  "g a": () => goTo("archive"),
  "g s": () => go(".chips [href*='filter=flagged']"),
  "* a": () => list.tickAll(true),
  "* n": () => list.tickAll(false),
};
const always = new Set(["Escape"]);

function isField(target) {
  if (!target?.matches) return false;
  return target.matches("select, textarea, [contenteditable=''], [contenteditable=true], input:not([type=checkbox], [type=radio])");
}

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isField(event.target) || document.querySelector("dialog[open]")) return;
  if (panes.dataset.keys === "off" && !always.has(event.key)) return;
  const deed = table[prefix ? `${prefix} ${event.key}` : event.key];
  const begins = !prefix && Object.keys(table).some((keys) => keys.startsWith(`${event.key} `));
  setPrefix(begins ? event.key : "");
  if (!deed) return;
  event.preventDefault();
  deed();
}

function setPrefix(key) {
  clearTimeout(prefixTimer);
  prefix = key;
  if (key) prefixTimer = setTimeout(() => (prefix = ""), SEQUENCE_MS);
}

export function start() {
  document.addEventListener("keydown", onKey);
  whenKeyInside(onKey);
  document.querySelector("[data-do=keys]")?.addEventListener("click", showSheet);
}
