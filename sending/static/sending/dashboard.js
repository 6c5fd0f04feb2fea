// Keeps the figures fresh: fetches them every 3 s while the page is seen.
const EVERY = 3000;
const figures = document.getElementById("dashboard");

async function refresh() {
  const response = await fetch(figures.dataset.fragment, { credentials: "same-origin" });
  if (response.redirected) {
    location.reload(); // the session has ended: the reload leads to the log-in page
  } else if (response.ok) {
    figures.innerHTML = await response.text();
  }
}

async function tick() {
  const isBusy = figures.contains(document.activeElement) || !getSelection().isCollapsed;
  try {
    if (!document.hidden && !isBusy) await refresh();
  } catch {
    // The server is away for a moment; the next tick asks again.
  }
  setTimeout(tick, EVERY);
}

setTimeout(tick, EVERY);
