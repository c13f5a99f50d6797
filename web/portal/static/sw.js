// The service worker of partners' browsers: keeps the last pages to be read without a connection, and keeps the forms of
// orders until they have reached the server (docs/security.md, "What a phone keeps").
"use strict";

const ROOT = new URL(registration.scope).pathname; // "/", or "/prefix/"
const PAGES = "cmi-pages", FILES = "cmi-files", OFFLINE = `${ROOT}offline`;
const DAY = 86400000, PAGES_DAYS = 3, FORMS_DAYS = 30, MOST_PAGES = 40;
const SLOW_PAGE = 10000, SLOW_FILE = 5000, SLOW_FORM = 30000, SLOW_LATER = 120000;
const FILE = /\.(pdf|csv|ics|zip)$/;
const FORM = /^\/orders\/[^/]+\/[^/]+$/;
const underway = new Set(); // ids of the forms that a page waits for just now

// --- storage: the forms, and who is logged in as far as this browser knows

const opened = new Promise((resolve, reject) => {
  const wanted = indexedDB.open("cmi", 1);
  wanted.onupgradeneeded = () => {
    wanted.result.createObjectStore("forms", { keyPath: "id", autoIncrement: true });
    wanted.result.createObjectStore("facts");
  };
  wanted.onsuccess = () => resolve(wanted.result);
  wanted.onerror = () => reject(wanted.error);
});
async function stored(store, mode, act) {
  const transaction = (await opened).transaction(store, mode);
  const wanted = act(transaction.objectStore(store));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(wanted.result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}
const allForms = () => stored("forms", "readonly", (forms) => forms.getAll());
const keepForm = (form) => stored("forms", "readwrite", (forms) => forms.put(form));
const dropForm = (id) => stored("forms", "readwrite", (forms) => forms.delete(id));
const personNow = () => stored("facts", "readonly", (facts) => facts.get("person"));

async function forgetOld() {
  for (const form of await allForms()) if (form.at < Date.now() - FORMS_DAYS * DAY) await dropForm(form.id);
  const cache = await caches.open(PAGES), found = [];
  for (const key of await cache.keys()) found.push([key, Number((await cache.match(key)).headers.get("CMI-Kept-At"))]);
  found.sort((one, other) => other[1] - one[1]);
  for (const [n, [key, at]] of found.entries()) if (n >= MOST_PAGES || at < Date.now() - PAGES_DAYS * DAY) await cache.delete(key);
}

// Another person, or nobody, is logged in: the pages of the former person are deleted at once. Its forms wait for it.
let changes = 0; // a page that was requested before a change is not kept after it
async function forgetPages() {
  changes += 1;
  await caches.delete(PAGES);
}
async function setPerson(person) {
  if (person === (await personNow())) return;
  await forgetPages();
  await stored("facts", "readwrite", (facts) => facts.put(person, "person"));
}
// The server says that the session has ended, or is another person's. The forms keep waiting, and the page says so.
async function forgetUnless(person) {
  if (person && person !== (await personNow())) await forgetPages(); // without the header the answer is not from this site
}

// --- pages

const within = (milliseconds, work) => Promise.race([work, new Promise((resolve) => setTimeout(resolve, milliseconds))]);
const isProxys = (answer) => answer.status === 502 || answer.status === 504;

function keyOf(address) {
  const key = new URL(address);
  key.searchParams.delete("said");
  key.hash = "";
  return key.href;
}

async function keptPage(key, why = "") {
  const kept = await (await caches.open(PAGES)).match(key);
  const at = kept ? Number(kept.headers.get("CMI-Kept-At")) : 0;
  if (at < Date.now() - PAGES_DAYS * DAY) return null;
  const text = (await kept.text()).replace('data-kept=""', `data-kept="${new Date(at).toISOString()}" data-why="${why}"`);
  return new Response(text, { headers: kept.headers });
}

async function offlinePage(why) {
  const kept = await (await caches.open(FILES)).match(OFFLINE);
  if (!kept) return Response.error();
  const text = (await kept.text()).replace('data-why=""', `data-why="${why}"`);
  return new Response(text, { status: 503, headers: kept.headers });
}

const HEADERS = ["Content-Type", "Content-Language", "Content-Security-Policy", "Referrer-Policy"];
async function note(answer, key, begun) {
  const person = answer.headers.get("CMI-Person");
  if (person === null || changes !== begun) return;
  await setPerson(person);
  if (!answer.ok || answer.headers.get("CMI-Keep") !== "yes") return;
  const text = await answer.text();
  const headers = new Headers({ "CMI-Kept-At": Date.now() });
  for (const name of HEADERS) if (answer.headers.has(name)) headers.set(name, answer.headers.get(name));
  const [, title] = text.match(/<title>([^<]*) – CMI<\/title>/) ?? ["", ""], [, head] = text.match(/<h1>(.*?)<\/h1>/s) ?? ["", ""];
  const named = [...new Set([title, head.replace(/<[^>]*>/g, "")])].filter(Boolean).join(" · ");
  headers.set("CMI-Title", encodeURIComponent(named.replace(/\s+/g, " ").trim()));
  const now = changes;
  if ((await personNow()) !== person) return;
  await (await caches.open(PAGES)).put(key, new Response(text, { headers }));
  if (changes !== now) await caches.delete(PAGES); // somebody logged out meanwhile
  const offline = await (await caches.open(FILES)).match(OFFLINE);
  if (offline?.headers.get("Content-Language") !== headers.get("Content-Language")) await keepFiles([OFFLINE]);
  await forgetOld();
}

async function openPage(event) {
  const key = keyOf(event.request.url), begun = changes;
  const asked = fetch(event.request);
  event.waitUntil(asked.then((answer) => note(answer.clone(), key, begun)).catch(() => {}));
  const kept = await keptPage(key, "slow").catch(() => null);
  try {
    const answer = await (kept ? within(SLOW_PAGE, asked) : asked);
    if (answer && !(kept && isProxys(answer))) return answer;
    return kept;
  } catch {
    return (await keptPage(key, "offline").catch(() => null)) ?? offlinePage("page");
  }
}

// --- files: the newest, or the kept one on a bad line

async function keepFiles(addresses) {
  const cache = await caches.open(FILES);
  await Promise.allSettled(addresses.map((address) => cache.add(address)));
}

async function openFile(event) {
  const cache = await caches.open(FILES), key = event.request.url.split("?")[0]; // one version of each is kept
  const kept = await cache.match(key, { ignoreVary: true });
  const asked = fetch(event.request);
  const copied = asked.then((answer) => (answer.ok ? cache.put(key, answer.clone()) : null));
  event.waitUntil(copied.catch(() => {}));
  try {
    return (await (kept ? within(SLOW_FILE, asked) : asked)) ?? kept;
  } catch {
    return kept ?? Response.error();
  }
}

addEventListener("install", (event) => {
  const files = ["cmi.css", "sheet.css", "cmi.js", "site.js", "offline.js", "icon.svg"].map((name) => `${ROOT}static/${name}`);
  event.waitUntil(keepFiles([...files, OFFLINE]).then(() => skipWaiting()));
});
addEventListener("activate", (event) => event.waitUntil(clients.claim().then(forgetOld)));

// --- forms: kept before they are sent, and dropped when the server has answered

async function sendForm(event, path) {
  const person = await personNow().catch(() => null);
  if (!person || person === "none") return fetch(event.request);
  let id;
  const form = { person, path, at: Date.now(), state: "waiting", why: "" };
  try {
    const typed = await event.request.clone().formData();
    form.fields = [...typed].filter(([name]) => name !== "form_token");
    id = form.id = await keepForm(form);
    underway.add(id);
  } catch {
    return fetch(event.request); // this browser cannot store anything: go on as without a service worker
  }
  const asked = fetch(event.request).then(async (answer) => {
    if (isProxys(answer)) throw new Error("no answer of the site");
    await forgetUnless(answer.headers.get("CMI-Person"));
    // The page that asks to log in keeps the input, but no files.
    const keeps = answer.status === 403 && answer.headers.get("CMI-Person") === "none" && form.fields.some(([, value]) => value instanceof File && value.size);
    if (keeps) await keepForm({ ...form, why: "login" });
    else await dropForm(id);
    return answer;
  });
  const ended = asked.catch(() => null).finally(() => underway.delete(id));
  event.waitUntil(ended);
  try {
    const answer = await within(SLOW_FORM, asked);
    if (answer) return answer;
  } catch { /* the line broke before or after the server had the form: it is sent again, and carried out once */ }
  event.waitUntil(registration.sync?.register("cmi-forms").catch(() => {}) ?? Promise.resolve());
  await tellPages();
  return Response.redirect(ROOT + path.split("/").slice(1, 3).join("/"), 303);
}

async function logOut(event) {
  await forgetPages();
  try {
    const answer = await fetch(event.request);
    await setPerson("none");
    return answer;
  } catch {
    return offlinePage("logout");
  }
}

let sending = null;
function sendWaiting() {
  sending ??= sendAll().finally(() => { sending = null; });
  return sending;
}
const isWaiting = (form) => form.state === "waiting" && !underway.has(form.id);

async function sendAll() {
  if (!(await allForms()).some(isWaiting)) return;
  let session;
  try {
    session = await (await fetch(`${ROOT}offline/session`, { cache: "no-store" })).json();
  } catch {
    return; // no connection
  }
  await forgetUnless(session.person);
  for (const form of (await allForms()).filter(isWaiting)) {
    if (session.person !== form.person) {
      const why = session.person === "none" ? "login" : "";
      if (form.why !== why) await keepForm({ ...form, why });
      continue;
    }
    const goesOn = await sendOne(form, session.form_token);
    await tellPages();
    if (!goesOn) return;
  }
  await tellPages();
}

// Send a kept form with the token that is valid now. False: the connection failed, so later forms wait, too.
async function sendOne(form, token) {
  const fields = [...form.fields, ["form_token", token]];
  const body = fields.some(([, value]) => value instanceof Blob) ? new FormData() : new URLSearchParams();
  for (const [name, value] of fields) body.append(name, value);
  let answer;
  try {
    answer = await fetch(ROOT + form.path.slice(1), {
      method: "POST", body, headers: { "CMI-Person": form.person }, signal: AbortSignal.timeout(SLOW_LATER),
    });
  } catch {
    return false;
  }
  const why = decodeURIComponent(answer.headers.get("CMI-Refusal") ?? "");
  if (answer.ok && answer.redirected && !why) { // a refusal can be a notice on the page that it leads to
    await keepForm({ ...form, fields: [], state: "sent", sent: Date.now(), why: "" });
  } else if (answer.status >= 500 || [408, 429].includes(answer.status)) {
    return false;
  } else if (answer.status === 403 && (why === "other-person" || !why)) {
    await keepForm({ ...form, why: "login" });
  } else {
    await keepForm({ ...form, state: "refused", why });
  }
  return true;
}
// As long as forms wait, the browser tries again later, also without an open page.
async function sync() {
  await sendWaiting();
  if ((await allForms()).some((form) => isWaiting(form) && form.why !== "login")) throw new Error("still no connection");
}
addEventListener("sync", (event) => event.waitUntil(sync()));

addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (url.origin !== location.origin || !url.pathname.startsWith(ROOT)) return;
  const path = `/${url.pathname.slice(ROOT.length)}`;
  if (request.mode === "navigate" && request.method === "POST") {
    if (path === "/logout") event.respondWith(logOut(event));
    else if (FORM.test(path)) event.respondWith(sendForm(event, path));
  } else if (request.mode === "navigate" && request.method === "GET" && !FILE.test(path)) {
    event.respondWith(openPage(event));
  } else if (request.method === "GET" && path.startsWith("/static/")) {
    event.respondWith(openFile(event));
  }
});

// --- messages from and to pages

async function tellPages() {
  for (const page of await clients.matchAll()) page.postMessage("changed");
}

async function state() {
  await forgetOld();
  const person = await personNow(), forms = await allForms();
  const mine = forms.filter((form) => form.person === person && !underway.has(form.id));
  const pages = [], cache = await caches.open(PAGES);
  for (const key of await cache.keys()) {
    const { headers } = await cache.match(key);
    pages.push({ address: key.url, title: decodeURIComponent(headers.get("CMI-Title")), at: Number(headers.get("CMI-Kept-At")) });
  }
  return {
    forms: mine.map((form) => ({
      ...form,
      fields: form.fields.map(([name, value]) => [name, value instanceof Blob ? value.name : value]),
    })),
    others: forms.filter((form) => form.person !== person && form.state === "waiting").length,
    pages: pages.sort((one, other) => other.at - one.at),
  };
}

addEventListener("message", (event) => {
  const { ask, id } = event.data, answer = event.ports[0];
  const work = { state, send: sendWaiting, drop: () => dropForm(id).then(tellPages) }[ask];
  if (work) event.waitUntil(work().then((found) => answer?.postMessage(found ?? null), () => answer?.postMessage(null)));
});
