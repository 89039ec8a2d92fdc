// The notice after Send counts the time in which it can be undone, then says that it is sent and goes.
for (const notice of document.querySelectorAll("[data-sends-in]")) {
  const words = notice.querySelector("span");
  let left = Number(notice.dataset.sendsIn);
  const timer = setInterval(() => {
    left -= 1;
    if (left > 0) {
      words.textContent = words.textContent.replace(/\d+/, String(left));
      return;
    }
    clearInterval(timer);
    words.textContent = notice.dataset.sent;
    notice.querySelector("button").remove();
    setTimeout(() => notice.remove(), 4000);
  }, 1000);
}
