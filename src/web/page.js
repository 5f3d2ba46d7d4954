// Values of the index under the pointer, or by the arrow keys. Without it the table of weeks has them.
"use strict";

// The chart's own margins, in the units of its viewBox (tenths of a pixel).
const LEFT = 400, RIGHT = 6800, TOP = 160, BOTTOM = 2160;

function dayNumber(day) {
  return Date.parse(day + "T00:00:00Z") / 86400000;
}

function words(row) {
  const bounds = `between ${row.low.toFixed(1)} and ${row.high.toFixed(1)}`;
  return `${row.day}: ${row.value.toFixed(1)}, ${bounds}${row.provisional ? ", may be restated" : ""}`;
}

function follow(svg, rows) {
  // A day alone stands in the middle.
  const alone = rows.length === 1 ? 1 : 0;
  const first = dayNumber(rows[0].day) - alone;
  const span = dayNumber(rows[rows.length - 1].day) + alone - first;
  const place = (row) => LEFT + (dayNumber(row.day) - first) / span * (RIGHT - LEFT);
  const reading = document.createElement("p");
  reading.className = "reading soft";
  reading.textContent = "Point at the chart, or choose it and use the arrow keys, to read a day.";
  svg.after(reading);
  const cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
  cursor.setAttribute("class", "cursor");
  cursor.setAttribute("y1", TOP);
  cursor.setAttribute("y2", BOTTOM);
  let at;
  // A screen reader tells the value of a slider, and leaves the arrow keys to it.
  function choose(n) {
    at = Math.min(Math.max(n, 0), rows.length - 1);
    svg.setAttribute("aria-valuenow", at);
    svg.setAttribute("aria-valuetext", words(rows[at]));
  }
  function show(n) {
    choose(n);
    cursor.setAttribute("x1", place(rows[at]));
    cursor.setAttribute("x2", place(rows[at]));
    svg.append(cursor);
    reading.textContent = words(rows[at]);
  }
  function point(event) {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const distance = (row) => Math.abs(place(row) - x);
    show(rows.reduce((nearest, row, n) => distance(row) < distance(rows[nearest]) ? n : nearest, 0));
  }
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: -30, PageDown: 30, Home: -Infinity, End: Infinity };
  svg.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    show(at + steps[event.key]);
  });
  svg.setAttribute("role", "slider");
  svg.setAttribute("aria-valuemin", 0);
  svg.setAttribute("aria-valuemax", rows.length - 1);
  choose(rows.length - 1);
  svg.tabIndex = 0;
}

async function begin(part) {
  const svg = part.querySelector("svg.index");
  if (!svg) return;
  const answer = await fetch(part.dataset.index, { headers: { accept: "application/json" } });
  const rows = answer.ok ? (await answer.json()).rows : [];
  if (rows.length > 0) follow(svg, rows);
}

for (const part of document.querySelectorAll("[data-index]")) begin(part);
