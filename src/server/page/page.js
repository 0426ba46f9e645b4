// The approvals page: shows what the server sends, as text only, and sends a person's word back.
//
// The key comes in the address's fragment, is taken out of it at once, and lives in this tab (and in tabs that are opened
// beside it). It is sent in a header of our own and nowhere else.
"use strict";

const STORED_KEY = "callgate-key";
const STORED_NAME = "callgate-name";
const BASE = "/approvals/api/";
// The server sends a sign of life every 10 s.
const SILENCE = 30_000;
const SHORTEST_PAUSE = 250;
const LONGEST_PAUSE = 8_000;
// A form that just came up under the pointer takes no second click of a double one.
const SETTLES = 400;
const FOLD_CHARACTERS = 600;
const FOLD_LINES = 12;
const FOLD_ROWS = 12;
const WORD_STAYS = 8_000;

const at = (id) => document.getElementById(id);
const cards = new Map();
const mine = new Set();
let key = "";
let offset = 0;
let known = null;
let connection = 0;
let isLive = false;

// ------------------------------------------------------------------------------------------------------- elements

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Controls, what is invisible, and what turns the direction of writing; line breaks and tabs are what they seem.
const TRICKS =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]/u;
const PIECES = new RegExp(`(${TRICKS.source}|\\[REDACTED:[a-z0-9_ -]{1,40}\\])`, "u");

/// Text as it is, with everything that could deceive an eye written out.
function shown(text) {
  const fragment = document.createDocumentFragment();
  for (const piece of String(text).split(PIECES)) {
    if (piece === "") continue;
    if (TRICKS.test(piece) && [...piece].length === 1) {
      const code = "U+" + piece.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      fragment.append(make("span", { class: "trick", title: "a character that cannot be seen" }, code));
    } else if (piece.startsWith("[REDACTED:")) {
      fragment.append(make("span", { class: "masked" }, piece));
    } else {
      fragment.append(piece);
    }
  }
  return fragment;
}

/// The same for a name on one line.
const line = (text) => shown(String(text).replace(/[\n\t]+/g, " "));

const call = (ticket) => (ticket.backend ? `${ticket.backend} / ${ticket.tool}` : ticket.tool);

// ---------------------------------------------------------------------------------------------------------- times

const now = () => Date.now() + offset;

function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d`;
}

function countdown(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds <= 0) return "expired";
  if (seconds >= 3600) return `expires in ${span(milliseconds)}`;
  return `expires in ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function tick() {
  for (const card of cards.values()) {
    const left = card.ticket.expires - now();
    card.age.textContent = `waits for ${span(now() - card.ticket.created)}`;
    card.left.textContent = countdown(left);
    card.left.classList.toggle("soon", left < 120_000);
  }
  for (const time of document.querySelectorAll("[data-at]")) {
    time.textContent = `${span(now() - Number(time.dataset.at))} ago`;
  }
}

// ---------------------------------------------------------------------------------------------------------- cards

/// One value; a long one is folded, and says how much is.
function value(argument) {
  const lines = argument.text.split("\n");
  const block = make("pre", { class: argument.kind });
  const head = lines.slice(0, FOLD_LINES).join("\n").slice(0, FOLD_CHARACTERS);
  const rest = argument.text.length - head.length;
  if (rest < 80) {
    block.append(shown(argument.text));
    return make("dd", null, block);
  }
  const button = make("button", { type: "button", class: "link fold" });
  const fold = (folded) => {
    block.replaceChildren(shown(folded ? head : argument.text));
    if (folded) block.append("…");
    button.textContent = folded ? `Show ${rest.toLocaleString("en")} more characters` : "Fold";
    button.setAttribute("aria-expanded", String(!folded));
  };
  button.addEventListener("click", () => fold(button.getAttribute("aria-expanded") === "true"));
  fold(true);
  return make("dd", null, block, button);
}

function argumentsOf(ticket) {
  if (ticket.arguments === null) {
    return make("dl", { class: "arguments", "aria-label": "The call" },
      make("div", { class: "whole" }, value({ kind: "text", text: ticket.call })));
  }
  if (ticket.arguments.length === 0) return make("p", { class: "quiet" }, "Without arguments.");
  const rows = ticket.arguments.map((argument) =>
    argument.name === null
      ? make("div", { class: "whole" }, value(argument))
      : make("div", null, make("dt", null, line(argument.name)), value(argument)));
  const list = make("dl", { class: "arguments", "aria-label": "Arguments" }, ...rows);
  const rest = rows.slice(FOLD_ROWS);
  if (rest.length < 2) return list;
  const button = make("button", { type: "button", class: "link fold" });
  const fold = (folded) => {
    for (const row of rest) row.hidden = folded;
    button.textContent = folded ? `Show ${rest.length} more arguments` : "Fold";
    button.setAttribute("aria-expanded", String(!folded));
  };
  button.addEventListener("click", () => fold(button.getAttribute("aria-expanded") === "true"));
  fold(true);
  list.append(make("div", { class: "whole" }, make("dd", null, button)));
  return list;
}

function fact(name, content, isCode) {
  return content ? make("div", null, make("dt", null, name), make("dd", { class: isCode && "code" }, line(content))) : null;
}

function card(ticket) {
  const title = `ticket-${ticket.id}`;
  const age = make("span");
  const left = make("span", { role: "timer" });
  const policies = ticket.policies.map((policy) => policy.name || policy.id).join(", ");
  const actions = make("div", { class: "actions" },
    make("button", { type: "button", class: "begin", onclick: () => begin(ticket.id, "approve") }, "Approve…"),
    make("button", { type: "button", class: "begin", onclick: () => begin(ticket.id, "deny") }, "Deny…"),
    make("span", { class: "hint" }, make("kbd", null, "a"), " approve  ", make("kbd", null, "d"), " deny"));
  const article = make("article", { class: "ticket", tabindex: "0", "aria-labelledby": title, "data-id": ticket.id },
    make("header", null,
      make("h3", { id: title }, make("span", { class: "tool" }, line(ticket.tool)),
        ticket.backend ? make("span", { class: "on" }, " on ") : null,
        ticket.backend ? make("span", { class: "backend" }, line(ticket.backend)) : null),
      make("span", { class: `chip ${/^[a-z]+$/.test(ticket.severity) ? ticket.severity : ""}` }, line(ticket.severity)),
      ticket.read_only ? make("span", { class: "chip" }, "said to read only") : null,
      make("p", { class: "clock" }, age, " · ", left)),
    make("p", { class: "why" }, line(ticket.reason || "A policy asks for a person.")),
    argumentsOf(ticket),
    make("dl", { class: "facts" },
      fact("Asked by", ticket.user ? `${ticket.agent} for ${ticket.user}` : ticket.agent),
      fact(ticket.policies.length > 1 ? "Policies" : "Policy", policies),
      fact("Policy version", ticket.policy_version.slice(0, 12), true),
      fact("Ticket", ticket.id.slice(0, 8), true)),
    actions);
  const item = make("li", null, article);
  return { ticket, item, article, actions, age, left, form: null };
}

// ------------------------------------------------------------------------------------------------------- deciding

/// The first step: a form. Nothing is decided by it.
function begin(id, decision) {
  const card = cards.get(id);
  if (!card || !isLive) return;
  const comment = card.form?.querySelector("textarea").value ?? "";
  card.form?.remove();
  card.form = form(card, decision, comment);
  card.actions.hidden = true;
  card.article.append(card.form);
  card.form.querySelector("textarea").focus();
  card.form.scrollIntoView({ block: "nearest" });
}

function form(card, decision, comment) {
  const approves = decision === "approve";
  const opened = performance.now();
  const folded = approves && card.article.querySelector(".fold[aria-expanded=false]");
  const masked = approves && card.article.querySelector(".masked");
  const wrong = make("p", { class: "wrong", role: "alert", hidden: true });
  const text = make("textarea", { rows: "2", maxlength: "2000" });
  text.value = comment;
  const send = make("button", { type: "submit", class: approves ? "yes" : "no" }, approves ? "Approve once" : "Deny");
  const step = make("form", { class: `step ${decision}`, "aria-label": `${approves ? "Approve" : "Deny"} ${call(card.ticket)}` },
    approves
      ? make("p", null, "The call runs ", make("strong", null, "once"), ", with exactly these arguments.")
      : make("p", null, "The call does not run. Who asked is told what you write here."),
    folded ? make("p", { class: "careful" }, "Some of the arguments are folded and you have not seen them whole.") : null,
    masked ? make("p", { class: "quiet" }, "Masked values are hidden from you, not from the call.") : null,
    make("label", null, "Comment (optional)", text),
    wrong,
    make("div", { class: "actions" }, send,
      make("button", { type: "button", onclick: () => back(card) }, "Back"),
      make("span", { class: "hint" }, make("kbd", null, "Ctrl"), " ", make("kbd", null, "Enter"), approves ? " approves  " : " denies  ",
        make("kbd", null, "Esc"), " back")));
  step.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (performance.now() - opened < SETTLES || send.disabled || !isLive) return;
    send.disabled = true;
    const why = await decide(card.ticket, decision, text.value);
    if (why === "") return;
    send.disabled = false;
    wrong.textContent = why;
    wrong.hidden = false;
  });
  return step;
}

function back(card) {
  card.form?.remove();
  card.form = null;
  card.actions.hidden = false;
  card.article.focus();
}

/// Sends the word; the answer is what went wrong, or nothing.
async function decide(ticket, decision, comment) {
  const body = JSON.stringify({ decision, comment, name: at("name").value.trim() });
  mine.add(ticket.id);
  let response;
  try {
    response = await fetch(`${BASE}tickets/${encodeURIComponent(ticket.id)}`,
      { method: "POST", headers: { ...headers(), "Content-Type": "application/json" }, body });
  } catch {
    mine.delete(ticket.id);
    return "There was no answer, so it is not known whether this was heard. The ticket shows it once the connection is back.";
  }
  if (response.ok) {
    say(decision === "approve" ? `Approved: ${call(ticket)} runs once.` : `Denied: ${call(ticket)} does not run.`);
    return "";
  }
  mine.delete(ticket.id);
  const why = await reason(response);
  if (response.status === 409) {
    say(`Somebody else was faster: ${why}.`);
    return "";
  }
  return `Not decided: ${why}.`;
}

async function reason(response) {
  try {
    return (await response.json()).error ?? `status ${response.status}`;
  } catch {
    return `status ${response.status}`;
  }
}

// -------------------------------------------------------------------------------------------------------- showing

let quiet;
function say(text) {
  at("word").replaceChildren(line(text));
  clearTimeout(quiet);
  quiet = setTimeout(() => at("word").replaceChildren(), WORD_STAYS);
}

const STATES = {
  approved: ["Approved", "good"],
  used: ["Approved and used", "good"],
  overridden: ["Overridden", "good"],
  rejected: ["Denied", "bad"],
  expired: ["Expired", ""],
};

function row(ticket) {
  const [name, kind] = STATES[ticket.state] ?? [ticket.state, ""];
  const time = ticket.reviewed ?? ticket.expires;
  const who = ticket.state === "expired" ? "Nobody decided in time." : ticket.reviewer ? `by ${ticket.reviewer}` : "";
  const said = ticket.comment ? `${who}: ${ticket.comment}` : who;
  return make("li", { "data-id": ticket.id },
    make("span", { class: `chip ${kind}` }, line(name)),
    make("span", { class: "call" }, line(ticket.tool), ticket.backend ? make("span", { class: "on" }, " on ", line(ticket.backend)) : null),
    make("span", { class: "when", "data-at": String(time), title: new Date(time).toLocaleString() }),
    said ? make("span", { class: "said" }, line(said)) : null);
}

/// What became of a ticket that is not among the waiting any more, in words, unless it was decided here.
function gone(ticket, decided) {
  if (mine.delete(ticket.id)) return;
  const now = decided.find((other) => other.id === ticket.id);
  const [name] = STATES[now?.state] ?? ["Decided"];
  const who = now?.reviewer ? ` by ${now.reviewer}` : "";
  say(now?.state === "expired" ? `Expired: ${call(ticket)}.` : `${name}${who}, elsewhere: ${call(ticket)}.`);
}

function show(state) {
  const waiting = new Set(state.waiting.map((ticket) => ticket.id));
  const list = at("waiting");
  let refocus = false;
  for (const [id, card] of cards) {
    if (waiting.has(id)) continue;
    refocus ||= card.item.contains(document.activeElement);
    card.item.remove();
    cards.delete(id);
    gone(card.ticket, state.decided);
  }
  let fresh = 0;
  for (const ticket of state.waiting) {
    if (cards.has(ticket.id)) continue;
    const made = card(ticket);
    cards.set(ticket.id, made);
    // The oldest stand first, so nothing moves under a hand that is about to decide.
    list.append(made.item);
    fresh += 1;
    if (known && fresh === 1) say(`A call waits: ${call(ticket)}.`);
  }
  const more = state.total - state.waiting.length;
  at("more").textContent = more > 0 ? `… and ${more} more, which follow as these are decided.` : "";
  at("more").hidden = more <= 0;
  at("empty").hidden = state.total > 0;
  at("waiting-count").textContent = state.total > 0 ? String(state.total) : "";
  at("decided").replaceChildren(...state.decided.map(row));
  at("decided-section").hidden = state.decided.length === 0;
  document.title = `${state.total > 0 ? `(${state.total}) ` : ""}Approvals – Callgate`;
  known = state;
  tick();
  if (refocus) (list.querySelector(".ticket") ?? at("waiting-title")).focus();
}

// ----------------------------------------------------------------------------------------------------- connection

const headers = () => ({ "X-Callgate-Key": key });

function stand(state, text, banner) {
  document.body.className = state;
  isLive = state === "live";
  at("connection").textContent = text;
  at("banner").textContent = banner ?? "";
  at("banner").hidden = !banner;
  at("locked").hidden = state !== "locked";
  at("desk").hidden = state === "locked" || known === null;
  for (const button of document.querySelectorAll(".begin, .step button[type=submit]")) button.disabled = !isLive;
}

function lock(why) {
  key = "";
  sessionStorage.removeItem(STORED_KEY);
  at("locked-why").textContent = why;
  stand("locked", "Locked");
}

function heard(event, data) {
  if (event === "state") {
    offset = data.now - Date.now();
    at("name").placeholder = data.account;
    show(data.state);
    stand("live", "Connected");
  } else if (event === "trouble") {
    stand("lost", "Trouble", `What waits cannot be read now: ${data.trouble}.`);
  }
}

/// Reads one stream to its end; throws when it breaks. `fetch` and not `EventSource`, which cannot send the key.
async function listen(signal, alive) {
  const response = await fetch(`${BASE}events`, { headers: headers(), signal, cache: "no-store" });
  if (response.status === 401 || response.status === 403) {
    lock(`${await reason(response)}.`);
    return;
  }
  if (!response.ok) throw new Error(await reason(response));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      const [name, data] = event.split("\n");
      heard(name.slice("event: ".length), JSON.parse(data.slice("data: ".length)));
    }
  }
}

/// Stays connected until there is no key any more or another connection takes over.
async function connect() {
  const own = ++connection;
  const isOurs = () => key !== "" && own === connection;
  const rest = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
  let pause = SHORTEST_PAUSE;
  while (isOurs()) {
    const abort = new AbortController();
    let timer = setTimeout(() => abort.abort(), SILENCE);
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), SILENCE);
      pause = SHORTEST_PAUSE;
    };
    let why = null;
    try {
      await listen(abort.signal, alive);
    } catch (error) {
      why = error instanceof TypeError || error.name === "AbortError" ? "" : ` (${error.message})`;
    }
    clearTimeout(timer);
    if (!isOurs()) return;
    if (why === null) {
      // At its end a stream says good-bye, and is opened again without a word.
      await rest(SHORTEST_PAUSE);
      continue;
    }
    stand("lost", "Connection lost", `The connection is lost${why}. What stands here may be old; trying again…`);
    await rest(pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

// ------------------------------------------------------------------------------------------------------------ key

/// `key` or `code` of an address or its fragment.
function secrets(text) {
  const hash = text.includes("#") ? text.slice(text.indexOf("#") + 1) : text.includes("=") ? text : `key=${text}`;
  const found = new URLSearchParams(hash);
  return { key: found.get("key")?.trim() ?? "", code: found.get("code")?.trim() ?? "" };
}

async function exchange(code) {
  try {
    const response = await fetch(`${BASE}enter`,
      { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ code }) });
    return response.ok ? (await response.json()).key : "";
  } catch {
    return "";
  }
}

/// Tabs of this page hand the key on, so that a link to the page opens it while another tab is open.
const tabs = new BroadcastChannel("callgate-approvals");
tabs.addEventListener("message", ({ data }) => {
  if (data?.asks && key !== "") tabs.postMessage({ key });
});

function askTabs() {
  return new Promise((done) => {
    const hear = ({ data }) => data?.key && done(data.key);
    tabs.addEventListener("message", hear);
    tabs.postMessage({ asks: true });
    setTimeout(() => {
      tabs.removeEventListener("message", hear);
      done("");
    }, 300);
  });
}

async function open(text) {
  const given = secrets(text);
  let found = given.key;
  if (given.code !== "") found = await exchange(given.code);
  if (found === "") found = sessionStorage.getItem(STORED_KEY) ?? "";
  if (found === "") found = await askTabs();
  if (found === "") {
    lock("It opens with the address that callgate printed when it was started. A link to this page does not hold the key.");
    return;
  }
  key = found;
  sessionStorage.setItem(STORED_KEY, key);
  stand("connecting", "Connecting…");
  connect();
}

/// Takes the key out of the address, where it would be seen.
function fragment() {
  const { hash } = location;
  if (!/^#(key|code)=/.test(hash)) return "";
  history.replaceState(null, "", location.pathname);
  return hash;
}

// ----------------------------------------------------------------------------------------------------------- keys

function step(by) {
  const all = [...document.querySelectorAll(".ticket")];
  const here = all.indexOf(document.activeElement?.closest(".ticket"));
  all[here < 0 ? 0 : Math.min(all.length - 1, Math.max(0, here + by))]?.focus();
}

function unfold(article) {
  const folds = [...article.querySelectorAll(".fold")];
  const isFolded = folds.some((fold) => fold.getAttribute("aria-expanded") === "false");
  for (const fold of folds) if ((fold.getAttribute("aria-expanded") === "false") === isFolded) fold.click();
}

document.addEventListener("keydown", (event) => {
  if (at("keys").open) return;
  const target = event.target instanceof Element ? event.target : document.body;
  const inForm = target.closest(".step");
  if (inForm && event.key === "Escape") {
    back(cards.get(target.closest(".ticket").dataset.id));
    return event.preventDefault();
  }
  if (inForm && event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) {
    inForm.requestSubmit();
    return event.preventDefault();
  }
  if (target.closest("input, textarea") || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const article = target.closest(".ticket");
  const actions = {
    j: () => step(1),
    k: () => step(-1),
    f: () => article && unfold(article),
    // Without a ticket that has the focus, it is not clear which one is meant.
    a: () => (article ? begin(article.dataset.id, "approve") : step(0)),
    d: () => (article ? begin(article.dataset.id, "deny") : step(0)),
    "?": () => at("keys").showModal(),
  };
  const action = Object.hasOwn(actions, event.key) ? actions[event.key] : null;
  if (!action) return;
  action();
  event.preventDefault();
});

at("keys-button").addEventListener("click", () => at("keys").showModal());
at("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("unlock-text").value.trim();
  at("unlock-text").value = "";
  if (text !== "") open(text);
});
at("name").value = localStorage.getItem(STORED_NAME) ?? "";
at("name").addEventListener("change", () => localStorage.setItem(STORED_NAME, at("name").value.trim()));
window.addEventListener("hashchange", () => {
  const hash = fragment();
  if (hash !== "") open(hash);
});
setInterval(tick, 1000);
open(fragment());
