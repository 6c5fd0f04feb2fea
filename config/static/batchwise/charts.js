// Draws the table of hours (#hours, which stays the chart's text) as bars, and again when it changes.
let chart;

function readHours() {
  const rows = [...document.querySelectorAll("#hours tbody tr")];
  const column = (name) => rows.map((row) => Number(row.dataset[name]));
  const sent = column("sent"), failed = column("failed");
  return [column("start"), sent.map((count, n) => count + failed[n]), failed];
}

// Canvas knows no custom properties: these elements carry the colours that CSS gives them.
function colourOf(name) {
  return getComputedStyle(document.querySelector(`#chart-colours .${name}`)).color;
}

function options(host) {
  const lang = document.documentElement.lang;
  const zone = host.dataset.zone;
  const clock = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone });
  const day = new Intl.DateTimeFormat(lang, { weekday: "short", day: "numeric", timeZone: zone });
  const bars = uPlot.paths.bars({ size: [0.7, 24], align: 1, radius: 0.15 });
  const axis = { stroke: () => colourOf("text"), font: "12px system-ui, sans-serif", ticks: { show: false } };
  const series = (name) => ({ fill: () => colourOf(name), width: 0, paths: bars, points: { show: false } });
  return {
    width: host.clientWidth,
    height: 180,
    legend: { show: false },
    cursor: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), zone),
    scales: { x: { range: (_, from, to) => [from, to + 3600] }, y: { range: (_, __, to) => [0, Math.max(to, 4) * 1.05] } },
    axes: [
      {
        ...axis, grid: { show: false }, size: 46, space: 56,
        values: (_, at) => at.map((s, n) => {
          const today = day.format(s * 1e3);
          return clock.format(s * 1e3) + (n && today === day.format(at[n - 1] * 1e3) ? "" : `\n${today}`);
        }),
      },
      { ...axis, size: 44, space: 28, grid: { stroke: () => colourOf("line"), width: 1 }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5], values: (_, counts) => counts.map((n) => n.toLocaleString(lang)) },
    ],
    series: [{}, series("sent"), series("failed")],
  };
}

function draw() {
  const host = document.getElementById("chart");
  if (!host) return;
  const data = readHours();
  if (chart) {
    if (JSON.stringify(chart.data) !== JSON.stringify(data)) chart.setData(data);
  } else {
    chart = new uPlot(options(host), data, host);
    new ResizeObserver(() => chart.setSize({ width: host.clientWidth, height: 180 })).observe(host);
  }
}

draw();
document.addEventListener("htmx:after:swap", draw);
const redraw = () => chart?.redraw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
