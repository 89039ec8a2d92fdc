// Message bodies are sandboxed documents without scripts; this page measures them and gives their frames the height.
let onKey = () => {};

// What a key pressed inside a message does.
export function whenKeyInside(deed) {
  onKey = deed;
}

export function sized(place) {
  for (const frame of place.querySelectorAll("iframe.message-frame")) {
    frame.addEventListener("load", () => settle(frame));
    if (frame.contentDocument?.readyState === "complete" && frame.contentDocument.URL !== "about:blank") settle(frame);
  }
}

function settle(frame) {
  const page = frame.contentDocument;
  if (!page?.body) return;
  const measure = () => {
    const height = Math.ceil(page.documentElement.getBoundingClientRect().height);
    const wide = page.documentElement.scrollWidth > frame.clientWidth + 1;
    frame.style.height = `${height + (wide ? 18 : 0)}px`;
  };
  measure();
  new ResizeObserver(measure).observe(page.documentElement);
  page.addEventListener("keydown", (event) => onKey(event));
}
