// On a partner's pages: registers the service worker, and shows the forms that wait for a connection (static/sw.js).
"use strict";
(() => {
  const box = document.getElementById("waiting");
  if (!navigator.serviceWorker || !box) return;
  const texts = JSON.parse(box.dataset.texts), root = box.dataset.root, body = document.body;
  if (box.dataset.register) navigator.serviceWorker.register(`${root}/sw.js`).catch(() => {});

  const make = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text }, more);
  const plain = (html) => new DOMParser().parseFromString(html, "text/html").body.textContent;
  const when = (at) => new Date(at).toLocaleString(`${document.documentElement.lang}-CH`, { dateStyle: "short", timeStyle: "short" });
  const fill = (text, values) => text.replace(/#(\w+)/g, (_, name) => values[name]);
  const ask = (what, id) => new Promise((resolve) => {
    const worker = navigator.serviceWorker.controller, channel = new MessageChannel();
    if (!worker) return resolve(null);
    channel.port1.onmessage = ({ data }) => resolve(data);
    worker.postMessage({ ask: what, id }, [channel.port2]);
  });

  // A kept page is shown with its time, and its forms get new ids, because the kept ids may have been used already.
  const kept = body.dataset.kept;
  if (kept) {
    const text = fill(body.dataset.why === "slow" ? texts.slow : texts.kept, { when: when(kept) });
    const banner = make("p", `${text} `, { className: "notice kept" });
    banner.setAttribute("role", "status");
    banner.append(make("a", texts.reload, { href: location.href.split("#")[0] }));
    document.querySelector("main").prepend(banner);
    for (const field of document.querySelectorAll("input[name=request_id]")) {
      const bytes = String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)));
      field.value = btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    }
  }
  for (const each of document.querySelectorAll("[data-when]")) each.hidden = each.dataset.when !== body.dataset.why;

  function entry(form) {
    const [, , sp_id, name] = form.path.split("/");
    const item = make("li", "");
    const line = make("p", `${texts.names[name] ?? texts.form}, `);
    line.append(make("a", decodeURIComponent(sp_id), { href: `${root}/orders/${sp_id}` }), ` · ${when(form.at)}`);
    item.append(line);
    if (form.state === "refused") item.append(make("p", fill(texts.refused, { why: form.why || texts.unknown }), { className: "late" }));
    const typed = form.fields
      .filter(([field, value]) => value && (field === "photo" || field.includes(".")) && !/\.(strokes|partner_id)$/.test(field))
      .map(([, value]) => texts.values[value] ?? (/^[a-z_]+$/.test(value) ? "" : value)).filter(Boolean);
    if (typed.length) {
      const details = make("details", "");
      details.append(make("summary", texts.typed), ...typed.map((text) => make("p", text, { className: "note" })));
      item.append(details);
    }
    const drop = make("button", form.state === "waiting" ? texts.discard : texts.seen, { type: "button", className: "link" });
    drop.addEventListener("click", async () => {
      if (form.state === "waiting" && !confirm(texts.sure)) return;
      await ask("drop", form.id);
      show();
    });
    item.append(drop);
    return item;
  }
  function part(forms, heading, more) {
    if (!forms.length) return [];
    const list = make("ul", "");
    list.append(...forms.map(entry));
    return [make("p", heading, { className: "heading" }), ...more, list];
  }

  let waits = false;
  async function show() {
    const found = await ask("state");
    if (!found) return;
    const of = (state) => found.forms.filter((form) => form.state === state);
    const [waiting, refused, sent] = [of("waiting"), of("refused"), of("sent")];
    waits = waiting.length > 0;
    const count = (number, one, more) => (number === 1 ? one : fill(more, { number }));
    const login = waiting.some((form) => form.why === "login");
    const hint = make("p", login ? `${texts.login} ` : texts.hint, { className: "hint" });
    if (login) hint.append(make("a", texts.to_login, { href: `${root}/login` }));
    const now = make("button", texts.now, { type: "button", className: "quiet" });
    now.addEventListener("click", () => ask("send").then(show));
    box.replaceChildren(
      ...part(waiting, count(waiting.length, texts.one, texts.more), login ? [hint] : [hint, now]),
      ...part(refused, count(refused.length, texts.one_refused, texts.more_refused), []),
      ...part(sent, count(sent.length, texts.one_sent, texts.more_sent), []),
      ...(found.others ? [make("p", count(found.others, texts.one_other, texts.more_other))] : []),
    );
    box.hidden = !box.childElementCount;
    box.classList.toggle("is-waiting", waits || refused.length > 0);
    const list = document.querySelector("[data-pages]");
    if (list) {
      list.replaceChildren(...found.pages.map((page) => {
        const item = make("li", "");
        item.append(make("a", plain(page.title), { href: page.address }), make("span", ` · ${when(page.at)}`, { className: "hint" }));
        return item;
      }));
      list.previousElementSibling.hidden = !found.pages.length;
    }
  }
  const send = () => (waits ? ask("send").then(show) : null);
  navigator.serviceWorker.addEventListener("message", show);
  navigator.serviceWorker.addEventListener("controllerchange", show);
  // At "online", or when the phone is taken out of the pocket, the connection often works only a moment later.
  const sendSoon = () => [0, 1000, 5000].forEach((after) => setTimeout(send, after));
  addEventListener("online", sendSoon);
  document.addEventListener("visibilitychange", sendSoon);
  setInterval(send, 20000);
  show().then(send);
})();
