// The page before the first folder: it gives way to the mail as soon as there is some, and shows an account's trouble.
import { listen } from "./live.js";

async function look() {
  const answer = await fetch(location.href, { redirect: "manual" }).catch(() => null);
  if (answer?.type === "opaqueredirect") location.reload();
}

if (document.querySelector(".account")) listen(({ topic }) => (topic === "tree" ? location.reload() : look()));
