// The Mail activity: wires the list, the message, the keys and what happens elsewhere.
import * as actions from "./actions.js";
import * as keys from "./keys.js";
import * as list from "./list.js";
import { listen } from "./live.js";
import * as message from "./message.js";
import { getFragment } from "./net.js";
import * as splitter from "./splitter.js";
import { say, toast } from "./toast.js";

const CALM_MS = 80; // bells that ring together are answered together
const ANNOUNCE_MS = 60_000;
const PAGE_ROWS = 50;
const panes = document.getElementById("panes");
const listed = new Set((panes.dataset.folders ?? panes.dataset.folder).split(" "));
const scroller = document.getElementById("list");
const words = document.getElementById("words").dataset;
let announced = -ANNOUNCE_MS;
let waiting = { rows: false, tree: false };
let timer;
let busy = false;
let fetching = false;
let treeHtml = "";

// Bring rows or tree to their true state soon; what is asked for meanwhile is done in one go.
function refreshSoon(what) {
  waiting = { ...waiting, ...what };
  clearTimeout(timer);
  timer = setTimeout(refresh, CALM_MS);
}

async function refresh() {
  if (busy) return refreshSoon({});
  busy = true;
  const wanted = waiting;
  waiting = { rows: false, tree: false };
  try {
    await Promise.all([wanted.rows && refreshRows(), wanted.tree && refreshTree()]);
  } catch {
    // Offline, or the server restarts: the stream says when it is back.
  } finally {
    busy = false;
  }
}

async function refreshRows() {
  const url = new URL(panes.dataset.url, location.href);
  url.searchParams.set("fragment", "rows");
  url.searchParams.set("limit", list.rows().length);
  if (new URLSearchParams(location.search).has("before")) return;
  const deeds = actions.begun();
  const shown = list.rows().length;
  const fragment = await getFragment(url);
  if (list.rows().length > Math.max(shown, PAGE_ROWS)) return refreshSoon({ rows: true }); // older mail came meanwhile
  if (deeds !== actions.begun() || actions.underWay()) return; // older than what is shown; the deed's end refreshes
  document.getElementById("nothing")?.toggleAttribute("hidden", fragment.children.length > 0);
  const fresh = list.merge(fragment);
  message.pointAtNeighbours();
  watchEnd();
  if (fresh.length) tellNew(fresh.length);
}

function tellNew(number) {
  const jump = document.getElementById("jump");
  if (scroller.scrollTop > 40) {
    jump.textContent = words.fresh.replace("%", number);
    jump.hidden = false;
  }
  if (performance.now() - announced < ANNOUNCE_MS) return;
  announced = performance.now();
  say(words.fresh.replace("%", number));
}

async function refreshTree() {
  const fragment = await getFragment(panes.dataset.tree);
  const tree = document.getElementById("tree");
  const folded = [...tree.querySelectorAll("details.account:not([open])")].map((account) => account.id);
  const focused = tree.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const fresh = fragment.firstElementChild;
  for (const refusal of fresh.querySelectorAll(".refusal")) {
    toast(refusal.textContent, { stays: true });
    refusal.remove();
  }
  document.getElementById("engine-note").hidden = fresh.dataset.engine === "alive";
  if (fresh.outerHTML === treeHtml) return;
  treeHtml = fresh.outerHTML;
  tree.replaceWith(fresh);
  for (const id of folded) document.getElementById(id)?.removeAttribute("open");
  if (focused) document.querySelector(`#tree [href="${CSS.escape(focused)}"]`)?.focus();
  showUnread();
}

// The unread number of this folder, or of all inboxes, in its bar and in the title.
function showUnread() {
  const shown = panes.dataset.folder !== "0" ? "[aria-current]" : `[data-role="${panes.dataset.role}"]`;
  const counts = [...document.querySelectorAll(`#tree ${shown} .count:not(.muted)`)];
  const number = counts.reduce((sum, count) => sum + parseInt(count.textContent, 10), 0);
  document.getElementById("unread-note").textContent = number ? words.unread.replace("%", number) : "";
  document.title = `${number ? `(${number}) ` : ""}${panes.dataset.place}: Satchel`;
}

function onBell({ topic, subject }) {
  if (topic === "refresh") refreshSoon({ rows: true, tree: true });
  if (topic === "tree") refreshSoon({ tree: true });
  if (topic === "found" && document.getElementById("waits")) refreshSoon({ rows: true });
  if (topic === "folder") refreshSoon(listed.has(subject) ? { rows: true, tree: true } : { tree: true });
}

// Endless scroll: the link to older mail is followed when it comes near.
const end = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && older(), {
  root: scroller,
  rootMargin: "600px",
});

function watchEnd() {
  end.disconnect();
  const link = document.getElementById("older");
  if (link) end.observe(link);
}

async function older() {
  end.disconnect();
  const link = document.querySelector("#older a");
  if (!link || fetching) return;
  fetching = true;
  const url = new URL(link.href);
  url.searchParams.set("fragment", "rows");
  try {
    const fragment = await getFragment(url);
    if (link.isConnected) list.append(fragment); // else a refresh moved the end meanwhile: what came follows another row
    watchEnd();
  } catch {
    // The link stays: it can be pressed.
  } finally {
    fetching = false;
  }
}

function onClick(event) {
  if (event.target.closest("[data-do=refresh]")) {
    event.preventDefault();
    refreshSoon({ rows: true, tree: true });
  }
  if (event.target.closest("#older a") && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    older();
  }
  if (event.target.closest("#jump")) scroller.scrollTo({ top: 0 });
}

list.start();
message.start();
actions.start();
keys.start();
splitter.start();
actions.whenChanged(() => refreshSoon({ rows: true, tree: true }));
document.addEventListener("click", onClick);
scroller.addEventListener("scroll", () => {
  if (scroller.scrollTop < 40) document.getElementById("jump").hidden = true;
});
watchEnd();
listen(onBell);
