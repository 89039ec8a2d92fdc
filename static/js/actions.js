// Deeds on messages: shown in the same frame, written by the server, taken back by Undo or by the server's refusal.
import * as list from "./list.js";
import * as message from "./message.js";
import { post } from "./net.js";
import { toast } from "./toast.js";

const form = document.getElementById("one");
const leaving = new Set(["archive", "delete", "junk", "not-junk", "move"]);
const marks = { read: { unread: false }, unread: { unread: true }, star: { starred: true }, unstar: { starred: false } };
let refresh = () => {};
let number = 0;
let running = 0;
let newest = 0; // the newest deed a toast told of

// How many deeds were begun so far, and whether one has not been answered yet.
export const begun = () => number;
export const underWay = () => running > 0;

// What brings the list to its true state after a deed or its undoing.
export function whenChanged(deed) {
  refresh = deed;
}

const idsOf = (rows) => rows.map((row) => row.dataset.id);

// The messages a key or button is about: the ticked ones, else the open one, else the row with the focus.
export function chosen() {
  const ticked = list.ticked();
  if (ticked.length) return idsOf(ticked);
  if (message.openId()) return [message.openId()];
  return list.currentRow() ? idsOf([list.currentRow()]) : [];
}

// Do `what` ("archive", "move:12") to the messages `ids`.  Quiet: nothing is said unless it fails.
export async function act(what, ids = chosen(), { quiet = false } = {}) {
  if (!ids.length) return;
  const verb = what.split(":")[0];
  const rows = ids.map(list.rowOf).filter(Boolean);
  const mine = ++number;
  running += 1;
  const everything = list.everything() && list.ticked().length > 0;
  const restore = leaving.has(verb) ? take(rows, ids) : change(rows, marks[verb]);
  try {
    const answer = await post(form.action, body(what, ids, everything));
    if (!quiet && answer.words && mine > newest) {
      newest = mine; // one answered late says nothing: Undo takes back the newest
      toast(answer.words, { onUndo: answer.undo ? () => undo(answer.undo) : undefined });
    }
  } catch (error) {
    restore();
    toast(error.message, { stays: true });
  }
  running -= 1;
  message.forget();
  refresh();
}

// `everything`: not only these messages, but all that the list would show.
function body(what, ids, everything) {
  const data = new FormData(form);
  data.set("do", what);
  if (everything) data.set("all", "1");
  for (const id of ids) data.append("message", id);
  return data;
}

async function undo(url) {
  try {
    const told = await post(url, new FormData(form));
    if (told.words) toast(told.words);
  } catch (error) {
    toast(error.message, { stays: true });
  }
  message.forget();
  refresh();
}

function change(rows, marks) {
  const before = rows.map((row) => ({ unread: list.isUnread(row), starred: list.isStarred(row) }));
  for (const row of rows) list.mark(row, marks);
  return () => rows.forEach((row, at) => list.mark(row, before[at]));
}

// Take rows off the list; if the open one is among them, the next older one is opened (or the list shown).
function take(rows, ids) {
  const places = rows.map((row) => [row, row.nextSibling]);
  const next = nextAfter(rows);
  const wasOpen = ids.includes(message.openId());
  const hadFocus = rows.some((row) => row.contains(document.activeElement));
  for (const row of rows) {
    list.tick(row, false);
    row.remove();
  }
  list.count();
  if (wasOpen) goOn(next);
  else if (hadFocus) list.focusRow(next);
  else list.setCurrent(next ?? null);
  return () => putBack(places);
}

function nextAfter(rows) {
  const all = list.rows();
  const last = Math.max(...rows.map((row) => all.indexOf(row)), -1);
  const stays = (row) => !rows.includes(row);
  return all.slice(last + 1).find(stays) ?? all.slice(0, last).findLast(stays);
}

function goOn(next) {
  if (next && !message.isOnePane()) {
    message.open(next);
    list.focusRow(next);
  } else {
    message.close();
    list.focusRow(next);
  }
}

function putBack(places) {
  for (const [row, before] of places.reverse()) list.grid.insertBefore(row, before?.isConnected ? before : null);
}

// Buttons of rows and toolbars post forms; here they become deeds without a new page.
function onSubmit(event) {
  const button = event.submitter;
  if (button?.name !== "do" || !event.target.action.startsWith(form.action)) return;
  event.preventDefault();
  button.closest("details.menu")?.removeAttribute("open");
  const row = button.closest(".row");
  if (row) act(button.value, idsOf([row]));
  else act(button.value, event.target.id === "open" ? [message.openId()] : idsOf(list.ticked()));
}

export function start() {
  document.addEventListener("submit", onSubmit);
  message.whenRead((row) => act("read", idsOf([row]), { quiet: true }));
}
