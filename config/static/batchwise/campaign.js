// Beside the form of a campaign: a live preview of what stands in it, its merge fields, a test mail.
const preview = document.getElementById("campaign-preview");
const form = document.getElementById("campaign_form");
const head = preview.querySelector('[data-part="head"]');
const frames = preview.querySelector('[data-part="frame"]');
const find = document.getElementById("preview-find");
const fields = document.getElementById("merge-fields");
const testForm = document.getElementById("test-form");
const loggedOut = document.getElementById("logged-out");
const PARTS = ["subject", "html", "text"];
const TYPING = 400; // milliseconds without a key until it is shown
const PAPER = 640; // pixels: as wide as most mails are made for

let view = "desktop";
let contact = "";
let insertAt = form.elements.html;
let state = {}; // of the letter that is shown: see preview_head.html

// What stands in the form now.
function typed(more = {}) {
  const data = new FormData();
  data.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  data.set("campaign", preview.dataset.campaign);
  data.set("contact", contact);
  for (const part of PARTS) if (form.elements[part]) data.set(part, form.elements[part].value);
  const lists = [...form.querySelectorAll('input[name="lists"]')];
  if (lists.length) data.set("lists_chosen", "yes");
  for (const list of lists) if (list.checked) data.append("lists", list.value);
  for (const [name, value] of Object.entries(more)) data.set(name, value);
  return data;
}

// Takes over the token of who has logged in anew in another tab; false while nobody has.
async function renew() {
  const response = await fetch(location.href).catch(() => null);
  if (!response?.ok || response.redirected) return false;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const { value } = page.querySelector('[name="csrfmiddlewaretoken"]');
  for (const input of document.querySelectorAll('[name="csrfmiddlewaretoken"]')) input.value = value;
  return true;
}

async function post(url, data, signal) {
  const response = await fetch(url, { method: "POST", body: data, signal });
  if (response.status !== 403 || !(await renew())) return response;
  data.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  return fetch(url, { method: "POST", body: data, signal });
}

// The server's answer; null where another question was asked meanwhile, or the session has ended: the page
// then stays, since what is typed stands nowhere else.
const asking = {};
async function ask(url, data) {
  asking[url]?.abort();
  const mine = (asking[url] = new AbortController());
  try {
    const response = await post(url, data, mine.signal);
    loggedOut.hidden = !response.redirected;
    if (response.redirected) return null;
    if (!response.ok) throw new Error(response.statusText);
    return await response.text();
  } catch (error) {
    if (mine.signal.aborted) return null;
    const lost = document.createElement("p");
    lost.className = "errornote";
    lost.textContent = preview.dataset.lost;
    return lost.outerHTML;
  }
}

async function show(more = {}) {
  const answer = await ask(preview.dataset.head, typed(more));
  if (answer === null) return;
  head.innerHTML = answer;
  state = { ...head.querySelector("[data-state]")?.dataset };
  if (state.contact) contact = state.contact;
  for (const button of preview.querySelectorAll("[data-step]")) button.disabled = !state[button.dataset.step];
  // While the template has an error the last letter stays, greyed: it would jump at every key.
  const isWrong = Boolean(head.querySelector(".errornote"));
  frames.classList.toggle("is-stale", isWrong);
  if (state.html) showLetter();
  else if (!isWrong) frames.replaceChildren();
  arrange();
}

// A response of its own, in a frame without scripts and without our origin, by a form that is sent
// into it; a new frame each time, since an old one would fill the browser's history.
function showLetter() {
  const frame = document.createElement("iframe");
  frame.name = `letter-${Date.now()}`;
  frame.className = "letter";
  frame.title = preview.dataset.title;
  frame.setAttribute("sandbox", "");
  frame.addEventListener("load", () => {
    for (const old of [...frames.children]) if (old !== frame) old.remove();
  });
  frames.append(frame);
  const send = document.createElement("form");
  Object.assign(send, { method: "post", action: preview.dataset.letter, target: frame.name, hidden: true });
  for (const [name, value] of typed()) {
    const input = document.createElement("textarea");
    Object.assign(input, { name, value });
    send.append(input);
  }
  document.body.append(send);
  send.submit();
  send.remove();
}

function arrange() {
  const asText = view === "text" || !frames.children.length;
  const text = head.querySelector('[data-part="text"]');
  if (text) text.hidden = !asText;
  frames.hidden = asText;
  frames.classList.toggle("is-mobile", view === "mobile");
  for (const button of preview.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }
  scale();
}

// On a desktop a letter has its full width: where there is less room, it is shown smaller.
function scale() {
  const room = frames.clientWidth;
  const factor = view === "desktop" && room ? Math.min(1, room / PAPER) : 1;
  for (const frame of frames.children) {
    frame.style.width = `${100 / factor}%`;
    frame.style.height = `${100 / factor}%`;
    frame.style.transform = factor < 1 ? `scale(${factor})` : "";
  }
}

async function showFields() {
  if (!fields) return;
  const answer = await ask(preview.dataset.fields, typed());
  if (answer !== null) fields.innerHTML = answer;
}

function insert(text) {
  const at = insertAt.isConnected ? insertAt : form.elements.html;
  at.setRangeText(text, at.selectionStart, at.selectionEnd, "end");
  at.focus();
  at.dispatchEvent(new Event("input", { bubbles: true }));
}

async function sendTest(event) {
  event.preventDefault();
  const button = document.querySelector('button[form="test-form"]');
  const result = document.getElementById("test-result");
  const label = button.textContent;
  button.disabled = true;
  button.textContent = button.dataset.busy;
  result.replaceChildren();
  const { to, account } = testForm.elements;
  const answer = await ask(testForm.action, typed({ to: to.value, account: account.value }));
  result.innerHTML = answer ?? "";
  button.textContent = label;
  button.disabled = false;
}

function soon(act) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, TYPING);
  };
}

const showSoon = soon(() => show());
for (const part of PARTS) {
  form.elements[part]?.addEventListener("input", showSoon);
  form.elements[part]?.addEventListener("focus", (event) => (insertAt = event.target));
}
const listsChanged = soon(() => {
  contact = "";
  show();
  showFields();
});
form.addEventListener("change", (event) => event.target.name === "lists" && listsChanged());
find.addEventListener("input", soon(() => show({ find: find.value })));
find.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
preview.addEventListener("click", (event) => {
  const { view: chosen, step } = event.target.closest("button")?.dataset ?? {};
  if (chosen) {
    view = chosen;
    arrange();
  } else if (step) {
    contact = state[step];
    find.value = "";
    show();
  }
});
fields?.addEventListener("click", (event) => {
  const text = event.target.closest("[data-insert]")?.dataset.insert;
  if (text) insert(text);
});
testForm?.addEventListener("submit", sendTest);
form.addEventListener("submit", async (event) => {
  if (loggedOut.hidden) return;
  event.preventDefault();
  if (!(await renew())) return loggedOut.scrollIntoView({ block: "center" });
  loggedOut.hidden = true;
  form.requestSubmit(event.submitter);
});
// Who comes back after hours learns it before typing more.
document.addEventListener("visibilitychange", () => document.hidden || show());
new ResizeObserver(scale).observe(frames);
show();
showFields();
