// Requests to our own server.  A session that has ended answers with the sign-in page: then the whole page goes there.
const token = document.querySelector("meta[name=csrf-token]").content;

export class Refused extends Error {}

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(document.getElementById("words")?.dataset.offline ?? "");
  }
  if (response.redirected && new URL(response.url).pathname.includes("/sign-in")) location.reload();
  return response;
}

// The HTML of a fragment, as nodes.
export async function getFragment(url, options = {}) {
  const response = await answer(fetch(url, { headers: { Accept: "text/html" }, ...options }));
  const text = await response.text();
  if (!response.ok) throw new Refused(heading(text) ?? response.statusText);
  return parse(text);
}

function parse(text) {
  const template = document.createElement("template");
  template.innerHTML = text;
  return template.content;
}

function heading(text) {
  return parse(text).querySelector("h1")?.textContent;
}

// What a POST answers, as JSON; a refusal throws with the server's words.
export async function post(url, body) {
  const headers = { Accept: "application/json", "X-CSRFToken": token };
  const response = await answer(fetch(url, { method: "POST", headers, body }));
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(told.error ?? response.statusText);
  return told;
}
