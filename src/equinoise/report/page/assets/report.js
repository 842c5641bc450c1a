"use strict";
(async () => {
// -- data ----------------------------------------------------------------------------------------------------------

const unpack = async () => {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This browser is too old to unpack the data; any browser from 2023 on can.");
  }
  const text = atob(at("data").textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
};
const unpackColumns = (table) => Object.fromEntries(Object.entries(table).map(([name, values]) =>
  [name, Array.isArray(values) ? values : values.codes.map((code) => values.words[code])]));

let data;
try { data = await unpack(); } catch (error) {
  at("trouble").textContent = `The data of this page cannot be read. ${error.message}`;
  at("trouble").hidden = false;
  throw error;
}
const ranking = unpackColumns(data.ranking);
const total = (ranking.key || []).length;
// -- the ranking ---------------------------------------------------------------------------------------------------

const pageSize = window.innerWidth < 640 ? 10 : 20;
const state = { shown: 0, sort: "rank", down: false, page: 0, order: [] };
const essential = new Set(["rank", "source", "verdict", "kappa", "survival", "shots_per_gradient"]);
const wanted = ["rank", "source", "verdict", "num_qubits", "depth", "readout", "initial", "noise", "layout", "scale",
  "kappa", "fixed_point_share", "survival", "measured_rms", "shots_per_gradient"];
const narrowKept = new Set(["rank", "source", "verdict", "survival", "shots_per_gradient", "noise", "depth"]);
const varies = (name) => total > 0 && ranking[name].some((value) => value !== ranking[name][0]);
// a phone shows what is left before what it is left of
const order = narrow() ? ["rank", "source", "survival", "shots_per_gradient", "verdict", ...wanted] : wanted;
const columns = [...new Set(order)].filter((name) => essential.has(name) || (total > 1 && varies(name)));
const numbers = new Set(Object.keys(ranking).filter((name) => ranking[name].some((value) => typeof value === "number")));
const numeric = (name) => numbers.has(name);
const worded = wanted.filter((name) => ranking[name] && !numeric(name));
const searched = Array.from({ length: total }, (_, i) => worded.map((name) => ranking[name][i] ?? "").join(" ").toLowerCase());

const head = () => {
  const cells = columns.map((name) => {
    const button = make("button", { type: "button", textContent: label(name), title: hints[name] || "" });
    button.dataset.column = name;
    button.addEventListener("click", () => {
      state.down = state.sort === name ? !state.down : false;
      state.sort = name;
      state.page = 0;
      refresh();
    });
    const cell = make("th", { scope: "col", className: `${numeric(name) ? "number" : ""} ${narrowKept.has(name) ? "" : "wide"}` }, button);
    cell.setAttribute("aria-sort", "none");
    return cell;
  });
  at("designs").tHead.replaceChildren(make("tr", {}, ...cells));
};
const cell = (name, i) => {
  const value = ranking[name][i];
  const node = make("td", { className: `${numeric(name) ? "number" : ""} ${narrowKept.has(name) ? "" : "wide"}` });
  if (name === "source") {
    const button = make("button", { type: "button", textContent: value ?? "unnamed" });
    button.addEventListener("click", () => select(i));
    node.classList.add("name");
    node.append(button);
  } else if (name === "verdict") {
    const [mark, colour] = verdicts[value] || ["•", ink];
    node.classList.add("verdict");
    node.dataset.mark = mark;
    node.style.setProperty("--colour", colour);
    node.append(value ?? "–");
  } else if (name === "survival") {
    node.append(show(value), make("span", { className: "range", textContent: range(ranking.survival_low[i], ranking.survival_high[i]) }));
  } else if (name === "kappa") {
    const error = ranking.kappa_error[i];
    node.append(show(value), make("span", { className: "range", textContent: error === null ? "" : `± ${show(error, 1)}` }));
  } else if (name === "shots_per_gradient") {
    const none = ranking.verdict[i] === null ? "–" : "none suffice";  // shots come with the verdict, or not at all
    node.append(value === null ? none : show(Math.ceil(value)));
  } else if (typeof value === "string") {
    node.classList.add("text");
    node.append(value);
  } else {
    node.append(show(value));
  }
  return node;
};
const chosen = () => {
  const words = at("text-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const verdict = at("verdict-filter").value;
  const values = ranking[state.sort];
  const kept = [];
  for (let i = 0; i < total; i += 1) {
    if ((!verdict || ranking.verdict[i] === verdict) && words.every((word) => searched[i].includes(word))) kept.push(i);
  }
  const sign = state.down ? -1 : 1;
  const compare = numeric(state.sort) ? (a, b) => a - b : (a, b) => String(a).localeCompare(String(b), "en", { numeric: true });
  // what is unknown comes last either way; equals keep the ranking's order
  return kept.sort((i, j) => {
    const [a, b] = [values[i], values[j]];
    if (a === null || b === null) return (a === null) - (b === null) || i - j;
    return sign * compare(a, b) || i - j;
  });
};
const refresh = () => {
  state.order = chosen();
  for (const th of at("designs").querySelectorAll("th")) {
    const sorted = th.firstChild.dataset.column === state.sort;
    th.setAttribute("aria-sort", sorted ? (state.down ? "descending" : "ascending") : "none");
  }
  list();
};
const list = (size = pageSize) => {
  const pages = Math.max(1, Math.ceil(state.order.length / size));
  state.page = Math.min(state.page, pages - 1);
  const part = state.order.slice(state.page * size, (state.page + 1) * size);
  at("designs").tBodies[0].replaceChildren(...part.map((i) => {
    const row = make("tr", {}, ...columns.map((name) => cell(name, i)));
    if (i === state.shown) row.setAttribute("aria-current", "true");
    return row;
  }));
  at("count").textContent = `${state.order.length.toLocaleString("en")} of ${total.toLocaleString("en")} designs`;
  at("page").textContent = `page ${state.page + 1} of ${pages.toLocaleString("en")}`;
  at("previous").disabled = state.page === 0;
  at("next").disabled = state.page >= pages - 1;
};
const prepareRanking = () => {
  const counts = new Map();
  for (const verdict of ranking.verdict) counts.set(verdict, (counts.get(verdict) || 0) + 1);
  const words = [...counts.keys()].filter(Boolean).sort();
  fill("verdict-filter", ["", ...words], ["all", ...words.map((word) => `${word} (${counts.get(word).toLocaleString("en")})`)]);
  const same = wanted.filter((name) => !columns.includes(name) && ranking[name][0] !== null)
    .map((name) => `${label(name)} ${show(ranking[name][0])}`);
  at("constant").textContent = same.length ? `The same in all: ${same.join(", ")}.` : "";
  head();
  refresh();
  at("text-filter").addEventListener("input", () => { state.page = 0; refresh(); });
  at("verdict-filter").addEventListener("change", () => { state.page = 0; refresh(); });
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("filters").addEventListener("reset", () => setTimeout(() => { state.page = 0; refresh(); }));
  at("previous").addEventListener("click", () => { state.page -= 1; list(); });
  at("next").addEventListener("click", () => { state.page += 1; list(); });
};

// -- the design shown ----------------------------------------------------------------------------------------------

const select = (i) => {
  state.shown = i;
  if (typeof Plotly === "undefined") return; // drawn as soon as it is there
  for (const row of at("designs").tBodies[0].rows) row.removeAttribute("aria-current");
  const start = state.page * pageSize;
  const place = state.order.indexOf(i) - start;
  const row = at("designs").tBodies[0].rows[place];
  if (row) row.setAttribute("aria-current", "true");
  describe(i);
  drawCurve(i);
  prepareBudget(i);
};
const describe = (i) => {
  at("design-name").textContent = `${ranking.source[i] ?? "unnamed"} (rank ${ranking.rank[i]})`;
  const value = (name) => (ranking[name] ? ranking[name][i] : null);
  const facts = [
    ["Verdict", value("verdict") ? `${value("verdict")}: ${value("verdict_reason") ?? ""}` : "none: not asked for"],
    ["Problem", `readout ${value("readout")}, input ${value("initial") ?? "–"}, noise ${value("noise")}` + (value("layout") ? `, layout ${value("layout")}` : "") + ` at scale s = ${show(value("scale"))}`],
    ["Law", `κ = ${show(value("kappa"))} ± ${show(value("kappa_error"), 1)}, w₀ = ${show(value("fixed_point_share"))} (fixed point: ${value("fixed_point_class") ?? "unknown"})`],
    ["Survival", `${show(value("survival"))} [${range(value("survival_low"), value("survival_high"))}]; law ${show(value("law_survival"))}; bounds ${value("lower_bound") === null ? "" : range(value("lower_bound"), value("upper_bound")) + ", "}${value("bound_status")}`],
    ["RMS gradient", `${show(value("noiseless_rms"))} without noise, ${show(value("measured_rms"))} as measured, per radian`],
    ["Sample", `${show(value("samples"))} draws, seed ${value("seed") ?? "–"}, engine ${value("engine") ?? "–"}`],
  ];
  at("design-facts").replaceChildren(...facts.flatMap(([term, text]) => [make("dt", { textContent: term }), make("dd", { textContent: text })]));
};
const drawCurve = (i) => {
  const curve = JSON.parse(data.curves[i]);
  const points = JSON.parse(data.points[i]);
  const traces = [];
  let ticks = {};
  let span;
  at("bound-note").textContent = `, ${ranking.bound_status[i]}`;
  if (curve) {
    const count = curve.law.length;
    const scale = Array.from({ length: count }, (_, k) => 10 ** (curve.from + ((curve.to - curve.from) * k) / (count - 1)));
    const of = (name) => curve[name].map((v) => (v === null ? null : v / 1e4));
    const line = (name, text, style, more = {}) => ({
      x: scale, y: of(name), name: text, mode: "lines", line: style, hovertemplate: `${text}<br>s = %{x:.3g}<br>R = %{y:.3f}<extra></extra>`, ...more });
    traces.push(line("upper", "upper bound", { color: "#56B4E9", width: 1 }, { showlegend: false }),
      line("lower", "bounds", { color: "#56B4E9", width: 1 }, { fill: "tonexty", fillcolor: "rgba(86,180,233,0.25)" }),
      line("law", "law (resummed)", { color: "#0072B2", width: 3 }),
      line("leading_order", "leading order exp(−sκ)", { color: "#D55E00", width: 2, dash: "dash" }));
    span = [curve.from, curve.to];
    ticks = decades(...span);
    offerTable("curve-data", () => ({ "scale s": scale, "law": of("law"), "leading order": of("leading_order"), "lower bound": of("lower"), "upper bound": of("upper") }));
  }
  if (points.scale.length) {
    const error = (end, sign) => points.survival.map((v, k) => (points[end][k] === null ? 0 : Math.max(0, sign * (points[end][k] - v))));
    traces.push({ x: points.scale, y: points.survival, name: "simulated", mode: "markers",
      marker: { color: "#000", size: 9, symbol: "circle" },
      error_y: { type: "data", symmetric: false, array: error("high", 1), arrayminus: error("low", -1), color: "#000", thickness: 1.5 },
      hovertemplate: "simulated<br>s = %{x:.3g}<br>R = %{y:.3f}<extra></extra>" });
  }
  const top = Math.max(1, ...points.survival, ...(curve ? curve.law.map((v) => (v || 0) / 1e4) : []));
  draw("curve-plot", traces, layoutOf({ height: narrow() ? 360 : 400,
    xaxis: axis("noise scale s (1 = the stated noise)", { type: "log", range: span, ...ticks }),
    yaxis: axis("survival R(s)", { range: [0, 1.04 * Math.min(4, top)] }) }));
};

// -- the budget ----------------------------------------------------------------------------------------------------

const prepareBudget = (i) => {
  const budget = JSON.parse(data.budgets.rows[i]);
  const empty = !budget;
  for (const id of ["mechanism", "layer"]) at(id).disabled = empty;
  if (empty) {
    at("budget-told").textContent = "This page holds no budget of this design: no noise that its readout sees, or no room for it (the store's table budget has all).";
    for (const id of ["graph-plot", "matrix-plot"]) Plotly.purge(at(id));
    tables["budget-data"] = () => ({});
    at("budget-data").replaceChildren();
    return;
  }
  const keep = (id, values) => { const before = at(id).value; return values.map(String).includes(before) ? before : ""; };
  const [mechanism, layer] = [keep("mechanism", budget.mechanisms), keep("layer", budget.layers)];
  fill("mechanism", ["", ...budget.mechanisms], ["all", ...budget.mechanisms]);
  fill("layer", ["", ...budget.layers], ["all", ...budget.layers]);
  at("mechanism").value = mechanism;
  at("layer").value = layer;
  drawBudget(i);
};
const part = (budget, m, p, l) => budget.parts[(m * budget.places.length + p) * budget.layers.length + l];
const sums = (budget, mechanism, layer, p) => {
  let total = null;
  budget.mechanisms.forEach((name, m) => budget.layers.forEach((number, l) => {
    const value = part(budget, m, p, l);
    if (value !== null && (!mechanism || name === mechanism) && (layer === "" || String(number) === layer)) total = (total || 0) + value;
  }));
  return total === null ? null : total * budget.unit;
};
const drawBudget = (i) => {
  const budget = JSON.parse(data.budgets.rows[i]);
  const picture = data.budgets.pictures[budget.picture];
  const [mechanism, layer] = [at("mechanism").value, at("layer").value];
  const here = budget.places.map((_, p) => sums(budget, mechanism, layer, p));
  const whole = budget.places.map((_, p) => sums(budget, "", "", p)).reduce((a, b) => a + (b || 0), 0);
  const found = here.reduce((a, b) => a + (b || 0), 0);
  const most = here.reduce((best, value, p) => ((value ?? -Infinity) > (here[best] ?? -Infinity) ? p : best), 0);
  const placeName = (p) => (budget.places[p].includes("-") ? `pair ${budget.places[p].replace("-", "–")}` : `qubit ${budget.places[p]}`);
  const free = budget.unit === 0;
  const share = Math.abs(whole) > 1e-12 ? `, ${((100 * found) / whole).toFixed(0)} % of κ` : "";
  at("budget-told").textContent = free ? "No noise costs this design any gradient, to first order: κ = 0." : `${mechanism || "All mechanisms"}, ${layer === "" ? "all layers" : `layer ${layer}`}: ${show(found)} of κ = ${show(whole)}${share}.` +
    (!free && here[most] > 0 ? ` Costliest place: ${placeName(most)} with ${show(here[most])}.` : "");
  drawGraph(picture, budget, here);
  drawMatrix(budget, mechanism, layer);
  offerTable("budget-data", () => {
    const out = { place: [], layer: [], mechanism: [], kappa: [] };
    budget.mechanisms.forEach((name, m) => budget.places.forEach((_, p) => budget.layers.forEach((number, l) => {
      const value = part(budget, m, p, l);
      if (value !== null && (!mechanism || name === mechanism) && (layer === "" || String(number) === layer)) {
        out.place.push(placeName(p)); out.layer.push(number); out.mechanism.push(name); out.kappa.push(value * budget.unit);
      }
    })));
    return out;
  });
};
const scaleOf = (values) => {
  const known = values.filter((v) => v !== null);
  const [low, high] = [Math.min(0, ...known), Math.max(0, ...known)];
  const both = low < -0.02 * high;
  const most = Math.max(high, -low);
  return { both, low: both ? -most : 0, high: most, colours: both ? signed : amounts };
};
const hex = (text) => [1, 3, 5].map((k) => parseInt(text.slice(k, k + 2), 16));
const tint = (scale, value) => {
  const u = scale.high > scale.low ? Math.min(1, Math.max(0, (value - scale.low) / (scale.high - scale.low))) : 0;
  const k = Math.max(1, scale.colours.findIndex(([end]) => u <= end));
  const [[a, from], [b, to]] = [scale.colours[k - 1], scale.colours[k]];
  const [p, q] = [hex(from), hex(to)];
  return p.map((v, c) => Math.round(v + ((q[c] - v) * (u - a)) / (b - a)));
};
const rgb = (c) => `rgb(${c.join(",")})`;
const bar = (title) => ({ title: { text: title, side: "top" }, orientation: "h", thickness: 12, len: 0.9, y: -0.02, yanchor: "top", x: 0.5, outlinewidth: 0, nticks: 5, exponentformat: "power" });
const drawGraph = (picture, budget, here) => {
  const value = new Map(budget.places.map((place, p) => [place, here[p]]));
  const scale = scaleOf(here);
  const xs = picture.positions.map((p) => p[0]);
  const ys = picture.positions.map((p) => p[1]);
  const allX = [...xs, ...picture.around.map((p) => p[0])];
  const allY = [...ys, ...picture.around.map((p) => p[1])];
  const pad = 0.75;
  const box = [Math.min(...allX) - pad, Math.max(...allX) + pad, Math.min(...allY) - pad, Math.max(...allY) + pad];
  const width = at("graph-plot").clientWidth || 500;
  const height = Math.round(Math.min(560, Math.max(230, 90 + (width * (box[3] - box[2])) / (box[1] - box[0]))));
  const step = Math.min((width - 20) / (box[1] - box[0]), (height - 90) / (box[3] - box[2]));
  const size = Math.min(34, Math.max(9, 0.62 * step));
  const place = new Map(picture.qubits.map((q, k) => [q, k]));
  const traces = [];
  const far = { x: [], y: [] };
  for (const [a, b, c, d] of picture.around_lines) { far.x.push(a, c, null); far.y.push(b, d, null); }
  if (far.x.length) traces.push({ ...far, mode: "lines", line: { color: "#d9d9d9", width: 2 }, hoverinfo: "skip" });
  if (picture.around.length) {
    traces.push({ x: picture.around.map((p) => p[0]), y: picture.around.map((p) => p[1]), mode: "markers",
      marker: { color: "#fff", size: Math.max(7, 0.5 * size), line: { color: "#c4c4c4", width: 1.5 } },
      text: picture.around_names.map((name) => `physical qubit ${name}, not used`), hovertemplate: "%{text}<extra></extra>" });
  }
  const pairs = new Map(picture.bonds.map((pair) => [pair.join("-"), pair]));
  for (const name of budget.places) if (name.includes("-") && !pairs.has(name)) pairs.set(name, name.split("-").map(Number));
  const middles = { x: [], y: [], text: [] };
  for (const [name, [a, b]] of pairs) {
    if (!place.has(a) || !place.has(b)) continue;
    const [i, j] = [place.get(a), place.get(b)];
    const known = value.get(name) ?? null;
    const line = known === null ? { color: "#b5b5b5", width: 2.5 } : { color: rgb(tint(scale, known)), width: Math.max(5, 0.3 * size) };
    if (known !== null) traces.push({ x: [xs[i], xs[j]], y: [ys[i], ys[j]], mode: "lines", line: { color: "#777", width: line.width + 2 }, hoverinfo: "skip" });
    traces.push({ x: [xs[i], xs[j]], y: [ys[i], ys[j]], mode: "lines", line, hoverinfo: "skip" });
    middles.x.push((xs[i] + xs[j]) / 2); middles.y.push((ys[i] + ys[j]) / 2);
    middles.text.push(`pair ${a}–${b}<br>${known === null ? "no noise on the pair" : `κ part ${show(known)}`}`);
  }
  if (middles.x.length) traces.push({ ...middles, mode: "markers", marker: { size: 14, opacity: 0 }, hovertemplate: "%{text}<extra></extra>" });
  const nodes = picture.qubits.map((q) => value.get(String(q)) ?? null);
  const fills = nodes.map((v) => (v === null ? [230, 230, 230] : tint(scale, v)));
  const dark = fills.map(([r, g, b]) => 0.299 * r + 0.587 * g + 0.114 * b < 140);
  traces.push({ x: xs, y: ys, mode: size >= 15 ? "markers+text" : "markers",
    marker: { size, color: fills.map(rgb), line: { color: "#444", width: 1.2 } },
    text: picture.qubits.map(String), textfont: { size: Math.min(13, 0.5 * size + 2), color: dark.map((d) => (d ? "#fff" : ink)) },
    customdata: picture.qubits.map((q, k) => `circuit qubit ${q}${picture.physical.length ? `, physical ${picture.physical[k]}` : ""}<br>${nodes[k] === null ? "no noise that the readout sees" : `κ part ${show(nodes[k])}`}`),
    hovertemplate: "%{customdata}<extra></extra>" });
  // carries the colour bar alone
  if (scale.high > scale.low) traces.push({ x: [null], y: [null], mode: "markers", hoverinfo: "skip", marker: { color: [scale.low], cmin: scale.low, cmax: scale.high, colorscale: scale.colours, showscale: true, colorbar: bar("part of κ (dimensionless)") } });
  const hiddenAxis = { visible: false, fixedrange: true };
  draw("graph-plot", traces, layoutOf({ height, showlegend: false, margin: { l: 8, r: 8, t: 8, b: 74 }, dragmode: false,
    xaxis: { ...hiddenAxis, range: [box[0], box[1]] }, yaxis: { ...hiddenAxis, range: [box[2], box[3]], scaleanchor: "x", scaleratio: 1 } }));
  at("graph-caption").textContent = `Drawn on ${picture.caption}.`;
  at("physical-note").textContent = picture.physical.length
    ? ` (0 to ${picture.physical.length - 1} are physical ${picture.physical.join(", ")}); white circles are qubits of the device nearby`
    : "";
};
const drawMatrix = (budget, mechanism, layer) => {
  const values = budget.places.map((_, p) => budget.layers.map((number) => sums(budget, mechanism, String(number), p)));
  const kept = budget.places.map((_, p) => p).filter((p) => values[p].some((v) => v !== null));
  const scale = scaleOf(kept.flatMap((p) => values[p]));
  const names = kept.map((p) => budget.places[p].replace("-", "–"));
  const every = Math.max(1, Math.ceil(names.length / 26));
  const positions = names.map((_, k) => k);
  const marks = layer === "" ? [] : [{ type: "rect", xref: "x", yref: "paper", x0: budget.layers.indexOf(Number(layer)) - 0.5, x1: budget.layers.indexOf(Number(layer)) + 0.5, y0: 0, y1: 1, line: { color: "#d55e00", width: 3 } }];
  const step = Math.max(1, Math.ceil(budget.layers.length / 14));
  draw("matrix-plot", [{ type: "heatmap", z: kept.map((p) => values[p]), x: budget.layers.map((_, k) => k), y: positions, zmin: scale.low, zmax: scale.high || 1,
    colorscale: scale.colours, xgap: 1, ygap: 1, showscale: scale.high > scale.low, colorbar: bar("part of κ (dimensionless)"),
    customdata: kept.map((p) => budget.layers.map((number, l) => `${budget.places[p].includes("-") ? "pair" : "qubit"} ${budget.places[p].replace("-", "–")}, layer ${number}<br>κ part ${show(values[p][l])}`)),
    hovertemplate: "%{customdata}<extra></extra>" }],
  layoutOf({ height: Math.min(620, Math.max(280, 150 + 19 * names.length)), margin: { l: 56, r: 10, t: 34, b: 66 }, plot_bgcolor: "#ededed", shapes: marks,
    xaxis: axis("layer (noise slot)", { side: "top", showgrid: false, ticks: "", tickvals: budget.layers.map((_, k) => k).filter((k) => k % step === 0), ticktext: budget.layers.filter((_, k) => k % step === 0) }),
    yaxis: axis("qubit or pair", { autorange: "reversed", showgrid: false, ticks: "", tickvals: positions.filter((k) => k % every === 0), ticktext: names.filter((_, k) => k % every === 0) }) }));
};

// -- over all designs ----------------------------------------------------------------------------------------------

const grouped = (table) => {
  const out = new Map();
  table.group.forEach((name, k) => { if (!out.has(name)) out.set(name, []); out.get(name).push(k); });
  return [...out].sort(([a], [b]) => (a === "all others") - (b === "all others") || a.localeCompare(b, "en", { numeric: true }));
};
const short = (text, most = narrow() ? 26 : 40) => (text.length > most ? `${text.slice(0, most - 1)}…` : text || "not said");
const drawCollapse = () => {
  const table = unpackColumns(data.collapse[at("collapse-by").value]);
  const traces = [{ x: data.line.x, y: data.line.survival, name: "exp(−x)", mode: "lines", line: { color: "#000", width: 2 }, hoverinfo: "skip" }];
  grouped(table).forEach(([name, places], k) => traces.push({
    x: places.map((p) => table.x[p]), y: places.map((p) => table.survival[p]), name: short(name), mode: "markers",
    marker: { color: colours[k % 7], symbol: shapes[k % 7], size: 7, opacity: 0.8, line: { color: "#fff", width: 0.5 } },
    customdata: places.map((p) => table.row[p]),
    text: places.map((p) => `${short(name)}<br>s = ${show(table.scale[p])}${table.count[p] > 1 ? `<br>stands for ${table.count[p]} points` : ""}`),
    hovertemplate: "%{text}<br>x = %{x:.3g}<br>R = %{y:.3f}<extra></extra>" }));
  const all = (table.count || []).reduce((a, b) => a + b, 0);
  at("collapse-note").textContent = table.x.length < all
    ? `${all.toLocaleString("en")} points, drawn as ${table.x.length.toLocaleString("en")}: of those that would cover one another, one each.`
    : `${all.toLocaleString("en")} points.`;
  const least = Math.max(1e-3, Math.min(0.1, ...table.x));
  const greatest = Math.max(3, ...table.x);
  const span = [Math.log10(least) - 0.1, Math.min(2, Math.log10(greatest) + 0.1)];
  draw("collapse-plot", traces, layoutOf({ height: narrow() ? 420 : 460, xaxis: axis("x = s κ (dimensionless)", { type: "log", range: span, ...decades(...span) }),
    yaxis: axis("survival R", { range: [0, 1.04 * Math.min(2, Math.max(1, ...table.survival))] }) }));
  offerTable("collapse-data", () => ({ group: table.group, scale: table.scale, x: table.x, survival: table.survival, "points stood for": table.count }));
};
const drawDepth = () => {
  const table = unpackColumns(data.depth[at("depth-by").value]);
  const names = grouped(table);
  const depths = [...new Set(table.depth)].sort((a, b) => a - b);
  const gap = (0.04 * Math.max(1, depths[depths.length - 1] - depths[0])) / 6;
  const traces = names.map(([name, places], k) => ({
    // a little apart, so that bars of one depth do not cover one another
    x: places.map((p) => table.depth[p] + gap * (k - (names.length - 1) / 2)), y: places.map((p) => table.median[p]), name: short(name),
    mode: "lines+markers", line: { color: colours[k % 7], dash: dashes[k % 7], width: 2 }, marker: { color: colours[k % 7], symbol: shapes[k % 7], size: 9 },
    error_y: { type: "data", symmetric: false, array: places.map((p) => table.high[p] - table.median[p]), arrayminus: places.map((p) => table.median[p] - table.low[p]), thickness: 1.2, width: 4 },
    text: places.map((p) => `${short(name)}, depth ${table.depth[p]}<br>quartiles ${range(table.low[p], table.high[p])}<br>${table.count[p].toLocaleString("en")} designs`),
    hovertemplate: "%{text}<br>median R = %{y:.3f}<extra></extra>" }));
  draw("depth-plot", traces, layoutOf({ height: narrow() ? 400 : 420,
    xaxis: axis("depth (layers)", depths.length <= 16 ? { tickvals: depths } : {}), yaxis: axis("survival R", { rangemode: "tozero", range: [0, 1.04 * Math.max(1, ...table.high)] }) }));
  offerTable("depth-data", () => table);
};

// -- start ---------------------------------------------------------------------------------------------------------

const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
// the ranking can be used before the browser has read the plotting library, which is most of this page
const startPlotly = () => {
  document.head.append(make("script", { textContent: at("plotly").textContent }));
  at("plotly").remove();
  if (typeof Plotly === "undefined") throw new Error("the plotting library does not run in this browser");
};
if (total === 0) {
  at("trouble").textContent = "No design was diagnosed: every task failed, see below.";
  at("trouble").hidden = false;
  for (const id of ["ranking", "selected", "curve", "budget", "collapse", "depth"]) at(id).hidden = true;
} else {
  prepareRanking();
  document.documentElement.dataset.listed = String(Math.round(performance.now()));
  await frame();
  startPlotly();
  await frame();
  select(state.shown);
  await frame();
  for (const id of ["collapse-by", "depth-by"]) fill(id, data.groupings, data.groupings.map(label));
  at("collapse-by").value = data.groupings.includes("noise_class") ? "noise_class" : data.groupings[0];
  drawCollapse();
  await frame();
  if (document.documentElement.dataset.kind !== "single") drawDepth();
  for (const id of ["mechanism", "layer"]) at(id).addEventListener("change", () => drawBudget(state.shown));
  at("collapse-by").addEventListener("change", drawCollapse);
  at("depth-by").addEventListener("change", drawDepth);
  const watchCollapse = () => at("collapse-plot").on("plotly_click", (event) => {
    const i = event.points[0].customdata;
    if (Number.isInteger(i) && i < total) select(i);
  });
  watchCollapse();
  // paper is as wide as it is, whatever the window was
  const plots = () => [...document.querySelectorAll(".plot")].filter((node) => node.data && node.offsetParent);
  window.addEventListener("beforeprint", () => {
    for (const node of plots()) {
      Plotly.relayout(node, { width: 660, height: Math.min(node.layout.height, node.id === "graph-plot" ? 380 : 320), autosize: false });
    }
    list(30);
  });
  window.addEventListener("afterprint", () => {
    for (const node of plots()) Plotly.purge(node);
    select(state.shown);
    drawCollapse();
    if (document.documentElement.dataset.kind !== "single") drawDepth();
    watchCollapse();
    list();
  });
}
for (const form of document.querySelectorAll("form")) form.addEventListener("submit", (event) => event.preventDefault());
document.documentElement.dataset.ready = String(Math.round(performance.now()));
})();
