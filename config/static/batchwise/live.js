// Live parts: htmx asks for them again and again; here it learns to ask politely.
// A part that has an ETag (data-etag, then that of each answer) is asked for on condition, so that
// an unchanged one costs a 304; nothing is asked while nobody looks.
document.addEventListener("htmx:config:request", ({ target, detail: { ctx } }) => {
  if (target.dataset.etag) ctx.request.headers["If-None-Match"] = target.dataset.etag;
});

document.addEventListener("htmx:before:request", (event) => {
  if (document.hidden && event.target.dataset.etag) event.preventDefault();
});

document.addEventListener("htmx:before:response", (event) => {
  const { target, detail: { ctx: { response } } } = event;
  if (response.raw.redirected) {
    event.preventDefault();
    location.reload(); // the session has ended: this leads to the log-in page
  } else if (response.status >= 400) {
    event.preventDefault();
    told(false);
  } else {
    if (response.headers.get("ETag")) target.dataset.etag = response.headers.get("ETag");
    told(true);
  }
});

document.addEventListener("htmx:error", () => told(false));

let seen = new Date();

// Says since when the figures are old; the next answer takes it back.
function told(isFresh) {
  const stale = document.getElementById("stale");
  if (isFresh) seen = new Date();
  if (!stale) return;
  stale.hidden = isFresh;
  stale.querySelector("time").textContent = seen.toLocaleTimeString(document.documentElement.lang);
}
