"use strict";
// Everything goes to the page as text, never as HTML. The master key lives in this variable alone.
const at = (id) => document.getElementById(id);
const WARN_DAYS = 14;
let key = "";

async function call(method, path, body) {
  const options = { method, headers: { "X-Master-Key": key }, cache: "no-store" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("Vix was not reached. Is it running?");
  }
  const said = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.message || `Vix answered ${answer.status}.`);
  return said;
}

function say(where, sentence, isGood = false) {
  const line = where.querySelector(".said");
  line.textContent = sentence;
  line.classList.toggle("good", isGood);
}

async function during(button, where, work) {
  const others = where.querySelectorAll("button");
  others.forEach((one) => { one.disabled = true; });
  button.classList.add("busy");
  say(where, "");
  try {
    await work();
  } catch (error) {
    say(where, here(error.message));
  } finally {
    others.forEach((one) => { one.disabled = false; });
    button.classList.remove("busy");
  }
}

const day = (text) => new Date(text).toLocaleDateString(undefined, { dateStyle: "long" });
const moment = (text) => new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
const days = (count) => (count < 1 ? "less than a day" : Math.floor(count) === 1 ? "1 day" : `${Math.floor(count)} days`);

// Sentences of the service name the command that helps; here it is the form below.
const here = (sentence) => sentence.replace(/Connect (it|the account) again: \.\/vix accounts add \w+\./, "Connect it again below.");

function look(one) {
  if (one.state !== "ok") return { kind: "bad", pill: "Cannot publish", sentence: `${here(one.problem)} Until then films for it are held, and nothing is lost.` };
  if (one.days_left !== null && one.days_left <= 0) return { kind: "warn", pill: "Has ended", sentence: here(one.warning) || "Its access to data has ended." };
  if (one.days_left !== null && (one.warning || one.days_left <= WARN_DAYS)) {
    const end = `It ends on ${day(one.expires_at || one.data_until)}; connect the page again before.`;
    return { kind: "warn", pill: `${days(one.days_left)} left`, sentence: here(one.warning) || end };
  }
  const until = one.days_left === null ? "Its token has no end." : `Nobody has to do anything for ${days(one.days_left)}.`;
  return { kind: "good", pill: one.days_left === null ? "No end" : `${days(one.days_left)} left`, sentence: `Films are published on it. ${until}` };
}

function details(one) {
  const rows = [["Facebook page", one.remote_id]];
  if (one.state === "ok") {
    rows.push(["Token", one.expires_at ? `ends on ${day(one.expires_at)}` : "has no end"]);
    if (one.data_until) rows.push(["Access to data", `until ${day(one.data_until)}`]);
  }
  rows.push(["Looked at", one.checked_at ? moment(one.checked_at) : "never"], ["Connected", moment(one.connected_at)]);
  return rows;
}

function fill(card, one) {
  const { kind, pill, sentence } = look(one);
  card.className = `card account ${kind}`;
  card.querySelector(".name").textContent = one.name;
  card.querySelector(".pill").textContent = pill;
  card.querySelector(".sentence").textContent = sentence;
  card.querySelector("dl").replaceChildren(...details(one).flatMap(([name, value]) => {
    const [term, text] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  }));
}

function cardOf(one) {
  const card = at("account").content.firstElementChild.cloneNode(true);
  fill(card, one);
  const test = card.querySelector(".test");
  test.addEventListener("click", () => during(test, card, async () => {
    const now = await call("POST", `admin/accounts/${one.id}/test`);
    fill(card, now);
    if (now.not_looked_at) say(card, `Nothing could be learnt, and all is as it was: ${now.not_looked_at}`);
    else say(card, now.state === "ok" ? "Looked at just now: the token is good." : "Looked at just now.", now.state === "ok");
  }));
  const remove = card.querySelector(".remove");
  remove.addEventListener("click", async () => {
    if (!(await isSure(one.name))) return;
    during(remove, card, async () => {
      await call("DELETE", `admin/accounts/${one.id}`);
      await show();
    });
  });
  return card;
}

function isSure(name) {
  const dialog = at("sure");
  dialog.querySelector("p").textContent = `The token of "${name}" is forgotten. What is to be published there is held until the page is connected again.`;
  return new Promise((resolve) => {
    const end = (answer) => { dialog.onclose = null; dialog.close(); resolve(answer); };
    at("no").onclick = () => end(false);
    at("yes").onclick = () => end(true);
    dialog.onclose = () => resolve(false);
    dialog.showModal();
    at("no").focus();
  });
}

async function show() {
  const { items } = await call("GET", "admin/accounts");
  const ill = items.filter((one) => look(one).kind !== "good").length;
  const count = items.length === 1 ? "1 page" : `${items.length} pages`;
  at("sum").textContent = !items.length ? "No page is connected yet." : `${count}, ${ill ? `${ill} need${ill === 1 ? "s" : ""} you` : "all is well"}.`;
  const rank = { bad: 0, warn: 1, good: 2 };
  items.sort((a, b) => rank[look(a).kind] - rank[look(b).kind]);
  at("list").replaceChildren(...items.map(cardOf));
}

at("unlock").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  key = at("key").value.trim();
  during(event.submitter || at("unlock").querySelector("button"), at("unlock"), async () => {
    await show();
    at("key").value = "";
    at("unlock").hidden = true;
    at("inside").hidden = false;
  });
});

at("lock").addEventListener("click", () => {
  key = "";
  for (const name of ["app_secret", "token"]) at(name).value = "";
  at("list").replaceChildren();
  at("inside").hidden = true;
  at("unlock").hidden = false;
  at("key").focus();
});

at("again").addEventListener("click", () => during(at("again"), at("connect"), show));

const app = () => ({ app_id: at("app_id").value.trim(), app_secret: at("app_secret").value.trim() });

at("login").addEventListener("click", () => during(at("login"), at("connect"), async () => {
  const { login_url } = await call("POST", "admin/accounts/facebook/connect", app());
  location.assign(login_url);
}));

at("connect").querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  during(at("paste"), at("connect"), async () => {
    const { items } = await call("POST", "admin/accounts", { kind: "facebook", token: at("token").value.trim(), ...app() });
    at("token").value = at("app_secret").value = "";
    await show();
    say(at("connect"), `Connected: ${items.map((one) => one.name).join(", ")}.`, true);
  });
});
