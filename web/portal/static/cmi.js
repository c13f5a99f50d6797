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

// Print a page that is made for it.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

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

// After an error the focus is in the first wrong field, or at the message if there is none.
const wrong = document.querySelector("main [aria-invalid=true]:not(fieldset), main fieldset[aria-invalid=true] input");
const trouble = wrong || document.querySelector("main .error[role=alert]");
if (trouble) {
  if (!wrong) trouble.tabIndex = -1;
  // After the browser has gone to the address's anchor, which moves the focus.
  addEventListener("load", () => setTimeout(() => {
    trouble.focus({ preventScroll: true });
    trouble.scrollIntoView({ block: "center" });
  }));
}

// The answer to a form for several orders gets its own address, so that Back and reload lead to a page.
const answer = document.querySelector("[data-address]");
if (answer) history.replaceState(history.state, "", answer.dataset.address);

// Keys: / to search, j and k through a list, h and l to the page before and after, ? for help. Not while somebody types.
const shown = (each) => each.offsetParent !== null;
const typing = () => document.activeElement.matches("input:not([type=checkbox], [type=radio]), select, textarea");
document.addEventListener("keydown", (event) => {
  const help = document.getElementById("keys");
  if (event.ctrlKey || event.metaKey || event.altKey || typing() || !help || help.open) return;
  if (event.key === "/") {
    const narrow = document.querySelector("details.narrow");
    if (narrow && shown(narrow)) narrow.open = true;
    [...document.querySelectorAll("input[type=search]")].find(shown)?.focus();
  } else if (event.key === "?") {
    help.showModal();
  } else if (event.key === "j" || event.key === "k") {
    const links = [...document.querySelectorAll(".jobs .who a, .visits .who a, main tbody tr a:first-of-type")].filter(shown);
    const now = links.findIndex((each) => each.closest("li, tr").contains(document.activeElement));
    const next = links[event.key === "j" ? now + 1 : Math.max(now - 1, 0)];
    if (next) next.focus();
  } else if (event.key === "h" || event.key === "l") {
    document.querySelector(`main a[rel=${event.key === "h" ? "prev" : "next"}]`)?.click();
  } else return;
  event.preventDefault();
});

// A proposed day or time also fills the fields, and typing into a field replaces the proposal. The server says what
// speaks against the time.
for (const box of document.querySelectorAll("[data-check]")) {
  const form = box.closest("form");
  const field = (name) => form.elements[`appointment.${name}`];
  const against = box.querySelector("[data-against]");
  let asked = 0;
  const ask = async () => {
    const mine = ++asked;
    const query = new URLSearchParams({ day: field("day").value, from: field("from").value, until: field("until").value });
    if (!field("day").value) return;
    let found;
    try {
      const got = await fetch(`${box.dataset.check}?${query}`, { headers: { Accept: "application/json" } });
      if (!got.ok || mine !== asked) return;
      found = await got.json();
    } catch {
      return; // the form says it when it is sent
    }
    const paragraphs = (texts) => texts.map((text) => Object.assign(document.createElement("p"), { textContent: text }));
    against.replaceChildren(...paragraphs(found.messages));
    const template = box.querySelector("template[data-unusual]");
    if (found.unusual && template) against.append(template.content.cloneNode(true));
    against.hidden = !found.messages.length;
    against.classList.toggle("attention", !against.hidden);
    const busy = box.querySelector("[data-busy]");
    box.querySelector("[data-stops]").replaceChildren(...paragraphs(found.stops));
    busy.hidden = !found.stops.length;
  };
  form.addEventListener("change", ({ target }) => {
    if (target.name === "appointment.day_chip" && target.value !== "own") {
      field("day").value = target.value;
      field("last_day").value = "";
    }
    if (target.name === "appointment.window" && target.value !== "own") {
      [field("from").value, field("until").value] = target.value.split("-");
    }
    if (["appointment.day_chip", "appointment.window"].includes(target.name) && target.value === "own") {
      field(target.name.endsWith("window") ? "from" : "day").focus();
    }
    if (target === field("day")) field("day_chip").value = "own";
    if (target === field("from") || target === field("until")) field("window").value = "own";
    if (/^appointment\.(day|day_chip|window|from|until)$/.test(target.name)) ask();
  });
}

// Ask from time to time whether the overview has changed, and reload it then if nobody is working in it.
const list = document.querySelector("[data-version]");
if (list) {
  const look = async () => {
    if (document.hidden) return;
    try {
      const got = await fetch(list.dataset.versionAt);
      if (!got.ok || (await got.json()).version === list.dataset.version) return;
    } catch {
      return;
    }
    const busy = typing() || document.querySelector("main input:checked, dialog[open], form[data-sent]");
    const elsewhere = document.activeElement === document.body && scrollY < 100;
    if (!busy && elsewhere) location.replace(list.dataset.here);
    else document.querySelector("[data-news]").hidden = false;
  };
  setInterval(look, 30000);
  document.addEventListener("visibilitychange", look);
}
