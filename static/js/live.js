// What happens elsewhere, shown here.  One stream per browser: a lock elects the tab that holds it, the others hear of
// it over a channel.  Where the server has no stream left, the holder asks every 15 seconds instead.
const POLL_MS = 15_000;
const TRY_AGAIN_MS = 60_000;
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("satchel-events") : null;
let deliver = () => {};

// Call `deed` with what rang: { topic: "refresh" | "folder" | "tree" | "sent" | "found" | "machines", subject }.
export function listen(deed) {
  deliver = deed;
  if (channel) channel.onmessage = (event) => deliver(event.data);
  if (channel && navigator.locks) navigator.locks.request("satchel-events", hold);
  else hold();
}

function tell(bell) {
  deliver(bell);
  channel?.postMessage(bell);
}

// Hold the stream until this tab goes; the promise that never ends keeps the lock.
function hold() {
  follow();
  return new Promise(() => {});
}

function follow() {
  const stream = new EventSource("/events");
  for (const topic of ["refresh", "folder", "tree", "sent", "found", "machines"]) {
    stream.addEventListener(topic, (event) => tell({ topic, subject: event.data }));
  }
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) poll();
  });
}

function poll() {
  const turn = setInterval(() => tell({ topic: "refresh", subject: "" }), POLL_MS);
  setTimeout(() => {
    clearInterval(turn);
    follow();
  }, TRY_AGAIN_MS);
}
