// Small conveniences. Every page works without them.
"use strict";

// Remove the notice from the address, so that it is not shown again when the page is reloaded.
const address = new URL(location.href);
if (address.searchParams.has("said")) {
  address.searchParams.delete("said");
  history.replaceState(history.state, "", address);
}

// Send a form only once, even if its button is clicked twice. (The server carries it out once in any case.)
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// Close open menus on a click elsewhere or on Escape.
const menus = () => document.querySelectorAll("details.sub[open], details.narrow[open]");
document.addEventListener("click", (event) => {
  for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// The running total of a settlement in centimes: the ticked lines of this page, other pages, and corrections.
const centimes = (text) => Math.round(Number(text) * 100);
for (const form of document.querySelectorAll("form.picking")) {
  const boxes = [...form.querySelectorAll("[data-fee]")];
  const [count, net] = [form.querySelector("[data-count]"), form.querySelector("[data-net]")];
  const templates = count.dataset;
  form.addEventListener("change", () => {
    const ticked = boxes.filter((box) => box.checked);
    const number = ticked.length + Number(form.dataset.elsewhere);
    const sum = ticked.reduce((all, box) => all + centimes(box.dataset.fee), centimes(form.dataset.rest));
    const [francs, rest] = (Math.abs(sum) / 100).toFixed(2).split(".");
    count.textContent = (number === 1 ? templates.one : templates.more).replace("#", number);
    net.textContent = `CHF ${sum < 0 ? "-" : ""}${francs.replace(/\B(?=(\d{3})+$)/g, "’")}.${rest}`;
  });
}

// Reload a page that waits for a result. It uses the address of the page's link, because the page itself may be the
// answer to a form, which must not be sent again.
const waiting = document.querySelector("[data-again]");
if (waiting) setTimeout(() => location.replace(waiting.querySelector("a").href), Number(waiting.dataset.again) * 1000);
