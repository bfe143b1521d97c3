// The page works as plain forms and links. This makes it quick: a change of any control, and a change on disk, fetches
// the page anew and puts its parts in place, so that neither the focus nor a typed address is lost.
"use strict";

const shell = () => document.getElementById("shell");
const say = (text) => { document.getElementById("state").textContent = text; };
let turn = 0;
let lost = false;

async function put(address, options) {
  const mine = ++turn;
  const answer = await fetch(address, options);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (mine !== turn) return;
  const fresh = page.getElementById("shell");
  if (!fresh) throw new Error(`the preview answered ${answer.status}`);
  const focused = document.activeElement?.id;
  const typed = document.getElementById("address")?.value;
  const scrolled = document.querySelector(".facts")?.scrollTop ?? 0;
  const frame = document.getElementById("mail");
  shell().replaceWith(document.adoptNode(fresh));
  const next = document.getElementById("mail");
  // A frame that shows what it showed before is kept: its reader has scrolled in it.
  if (frame && next && frame.src === next.src) next.replaceWith(frame);
  document.title = page.title;
  document.body.dataset.version = page.body.dataset.version;
  if (typed && document.getElementById("address")) document.getElementById("address").value = typed;
  document.querySelector(".facts").scrollTop = scrolled;
  if (focused) document.getElementById(focused)?.focus();
}

async function tried(work) {
  try {
    await work();
    if (lost) say("The preview answers again");
    lost = false;
    return true;
  } catch (error) {
    lost = true;
    say("The preview does not answer: is it still running?");
    return false;
  }
}

document.addEventListener("change", (event) => {
  if (event.target.form?.id !== "look") return;
  const query = new URLSearchParams(new FormData(document.getElementById("look")));
  if (event.target.id === "digest") {
    // Editions and readers belong to a digest: another digest begins with its own.
    query.delete("edition");
    query.delete("reader");
  }
  const address = `?${query}`;
  history.replaceState(null, "", address);
  tried(() => put(address));
});

document.addEventListener("submit", (event) => {
  if (event.target.id !== "send") return;
  event.preventDefault();
  const button = event.target.querySelector("button");
  button.disabled = true;
  tried(() => put(event.target.action, { method: "POST", body: new URLSearchParams(new FormData(event.target)) }))
    .then(() => { button.disabled = false; });
});

async function glance() {
  const fine = document.hidden || await tried(async () => {
    const { version } = await (await fetch("changes")).json();
    if (version === document.body.dataset.version) return;
    await put(location.search || "?");
    say(`Reloaded at ${new Date().toLocaleTimeString("en-GB")}`);
  });
  setTimeout(glance, fine ? Number(document.body.dataset.poll) : 3000);
}
setTimeout(glance, Number(document.body.dataset.poll));
