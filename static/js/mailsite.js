// Mail Services: "Use default ports" fills the four fields at once; without script the server does.
const button = document.querySelector("[data-implicit]");
const field = (name) => document.getElementById(`mailsite-${name}`);

button?.addEventListener("click", (event) => {
  event.preventDefault();
  const ports = (field("starttls")?.checked ? button.dataset.starttls : button.dataset.implicit).split(" ");
  ["smtp", "smtps", "imap", "imaps"].forEach((name, place) => {
    const input = field(`${name}_port`);
    if (input) input.value = ports[place];
  });
});
