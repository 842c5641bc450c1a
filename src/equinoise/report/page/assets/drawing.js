"use strict";
// What all parts of the page share: elements, labels, numbers as text, colours, axes, tables. It holds no data.

const at = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

const labels = {
  rank: "rank", source: "design", verdict: "verdict", num_qubits: "qubits", depth: "depth", readout: "readout",
  initial: "input", noise: "noise", layout: "layout", scale: "scale s", kappa: "κ", fixed_point_share: "w₀",
  survival: window.innerWidth < 640 ? "R(s)" : "survival R(s)", noiseless_rms: "RMS, no noise", measured_rms: "RMS gradient", shots_per_gradient: "shots",
  family: "family", noise_class: "symmetry class of the noise",
};
const hints = {
  kappa: "aligned coherence rate, dimensionless", fixed_point_share: "share of the squared gradient that lasts",
  survival: "share of the RMS gradient left at the scale, with its 95 % interval",
  noiseless_rms: "per radian", measured_rms: "per radian, readout errors included",
  shots_per_gradient: "per expectation value, for a signal-to-noise ratio of 1",
};
const label = (name) => labels[name] || name.replaceAll("_", " ");

// -- numbers as text -----------------------------------------------------------------------------------------------

const show = (value, digits = 3) => {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return value.toLocaleString("en");
  const size = Math.abs(value);
  if (size < 1e-12) return "0";
  if (size >= 1e7 || size < 1e-4) return value.toExponential(digits - 1);
  const rounded = Number(value.toPrecision(digits));
  return size >= 1000 ? rounded.toLocaleString("en") : value.toPrecision(digits);
};
const range = (low, high) => (low === null || high === null ? "" : `${show(low)} – ${show(high)}`);

// -- colours, shapes, plots ----------------------------------------------------------------------------------------

const colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
const shapes = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x"];
const dashes = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid"];
const verdicts = {
  "trainable": ["▲", "#00714f"], "classical": ["◆", "#00568a"], "undecided": ["?", "#8a5a00"],
  "noise-limited": ["▼", "#a84300"], "shot-limited": ["▬", "#8c3f70"],
  "misdirected": ["◀", "#6b4fa0"],
};
const ink = "#1a1a1a";
const amounts = [[0, "#e9f2f8"], [0.35, "#8fc1de"], [0.7, "#2f7fb5"], [1, "#003e66"]];
const signed = [[0, "#b34700"], [0.25, "#eba668"], [0.5, "#f5f5f5"], [0.75, "#6aaad0"], [1, "#003e66"]];
const narrow = () => window.innerWidth < 640;
const axis = (title, more = {}) => ({
  title: { text: title, standoff: 8 }, gridcolor: "#e6e6e6", zeroline: false, linecolor: "#888", ticks: "outside",
  tickcolor: "#888", automargin: true, ...more,
});
const layoutOf = (more) => ({
  font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", size: narrow() ? 12 : 13, color: ink },
  paper_bgcolor: "#fff", plot_bgcolor: "#fff", margin: { l: narrow() ? 48 : 60, r: 14, t: 12, b: 50 },
  legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } }, hovermode: "closest",
  hoverlabel: { bgcolor: "#fff", bordercolor: "#888", font: { color: ink } }, dragmode: narrow() ? false : "zoom", ...more,
});
const config = {
  responsive: true, displaylogo: false, scrollZoom: false,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
};
const settings = () => ({ ...config, displayModeBar: narrow() ? false : "hover" });
const draw = (id, traces, layout) => Plotly.react(at(id), traces, layout, settings());
const decades = (from, to) => {
  const out = [];
  for (let k = Math.ceil(from - 1e-9); k <= Math.floor(to + 1e-9); k += 1) out.push(10 ** k);
  return { tickvals: out, ticktext: out.map((v) => (v >= 0.01 && v <= 100 ? String(Number(v.toPrecision(1))) : v.toExponential(0))) };
};
const asTable = (id, columns, limit = 300) => {
  const names = Object.keys(columns);
  const count = names.length ? columns[names[0]].length : 0;
  const head = make("tr", {}, ...names.map((name) => make("th", { scope: "col", textContent: label(name) })));
  const body = Array.from({ length: Math.min(count, limit) }, (_, i) => make("tr", {}, ...names.map((name) =>
    make("td", { className: typeof columns[name][i] === "number" ? "number" : "", textContent: show(columns[name][i], 4) }))));
  const rest = count > limit ? [make("p", { className: "note", textContent: `and ${(count - limit).toLocaleString("en")} more rows` })] : [];
  at(id).replaceChildren(make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)), ...rest);
};
// a table is made when somebody opens it
const tables = {};
const offerTable = (id, columns) => {
  tables[id] = columns;
  if (at(id).closest("details").open) asTable(id, columns());
};
for (const details of document.querySelectorAll("details.data")) {
  details.addEventListener("toggle", () => {
    const id = details.querySelector("div").id;
    if (details.open && tables[id]) asTable(id, tables[id]());
  });
}
const fill = (id, options, texts = options) => at(id).replaceChildren(...options.map((value, i) =>
  make("option", { value: String(value), textContent: texts[i] })));
