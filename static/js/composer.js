// The composer: saves by itself, uploads, styled text, and the keys Ctrl+Enter, Ctrl+S, Esc.
import { Completion } from "./completion.js";
import { Files } from "./composer-files.js";
import { Rich } from "./composer-rich.js";
import { Saver } from "./composer-save.js";

const form = document.getElementById("composer");
let files;

function values() {
  rich.write();
  const data = new FormData(form);
  for (const name of ["files", "csrf_token", "do", "later"]) data.delete(name);
  return data;
}

function told(answer) {
  if (answer.files && files && !files.busy) files.show(answer.files);
  if (!answer.errors?.files) for (const box of form.querySelectorAll("[name=original]:checked")) box.closest("label").remove();
}

const rich = new Rich(form, () => saver.touch());
const saver = new Saver(form, {
  values,
  note: document.getElementById("composer-note"),
  saved: document.getElementById("saved"),
  onTold: told,
});
files = new Files(form, saver);
if (form.dataset.html === "yes") rich.switch();
for (const name of ["to", "cc", "bcc"]) new Completion(form.elements[name], form.dataset.people);

// What was typed or chosen before this script had come counts as well.
const typed = ["to", "cc", "bcc", "subject", "text"].map((name) => form.elements[name]);
if (typed.some((field) => field.value !== field.defaultValue)) saver.touch();
files.add([...files.pick.files]);

// A button does what it does without script, once everything that is under way has arrived.
form.addEventListener("submit", async (event) => {
  const button = event.submitter;
  if (form.dataset.ready) return;
  event.preventDefault();
  rich.write();
  if (button?.dataset.do === "save") {
    saver.save();
    return;
  }
  clearTimeout(saver.timer);
  await new Promise((resolve) => setTimeout(resolve)); // a submit inside a submit event is ignored
  await files.running;
  await saver.running;
  saver.dirty = false;
  form.dataset.ready = "yes";
  form.requestSubmit(button);
  delete form.dataset.ready;
});

form.addEventListener("keydown", (event) => {
  const command = event.ctrlKey || event.metaKey;
  if (command && event.key === "Enter") press(event, "send");
  else if (command && event.key === "s") press(event, "save");
  else if (event.key === "Escape" && !event.defaultPrevented) press(event, "close");
});

function press(event, deed) {
  event.preventDefault();
  form.requestSubmit(form.querySelector(`button[name=do][value=${deed}]:not([tabindex])`));
}
