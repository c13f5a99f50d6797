// What makes the pages a little nicer. Everything works without it.
"use strict";

// The message about what was just done is not said again when the page is loaded anew.
const address = new URL(location.href);
if (address.searchParams.has("said")) {
  address.searchParams.delete("said");
  history.replaceState(history.state, "", address);
}

// A form is sent once, however often the button is clicked (the server would do it once all the same).
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// Open menus close by a click elsewhere, or by Escape.
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

// The running total of a settlement: what is ticked here, and what other pages and corrections add (in centimes).
const centimes = (text) => Math.round(Number(text) * 100);
for (const form of document.querySelectorAll("form.picking")) {
  const boxes = [...form.querySelectorAll("[data-fee]")];
  const [count, net] = [form.querySelector("[data-count]"), form.querySelector("[data-net]")];
  const words = count.dataset;
  form.addEventListener("change", () => {
    const ticked = boxes.filter((box) => box.checked);
    const number = ticked.length + Number(form.dataset.elsewhere);
    const sum = ticked.reduce((all, box) => all + centimes(box.dataset.fee), centimes(form.dataset.rest));
    const [francs, rest] = (Math.abs(sum) / 100).toFixed(2).split(".");
    count.textContent = (number === 1 ? words.one : words.more).replace("#", number);
    net.textContent = `CHF ${sum < 0 ? "-" : ""}${francs.replace(/\B(?=(\d{3})+$)/g, "’")}.${rest}`;
  });
}

// A page that waits for something looks again by itself.
// The address is that of its link: the page may be the answer to a form, which is not to be sent again.
const waiting = document.querySelector("[data-again]");
if (waiting) setTimeout(() => location.replace(waiting.querySelector("a").href), Number(waiting.dataset.again) * 1000);
