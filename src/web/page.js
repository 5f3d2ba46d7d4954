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
  const first = dayNumber(rows[0].day);
  const span = Math.max(dayNumber(rows[rows.length - 1].day) - first, 7);
  const reading = document.createElement("p");
  reading.className = "reading soft";
  reading.setAttribute("role", "status");
  reading.textContent = "Point at the chart, or choose it and use the arrow keys, to read a day.";
  svg.after(reading);
  const cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
  cursor.setAttribute("class", "cursor");
  cursor.setAttribute("y1", TOP);
  cursor.setAttribute("y2", BOTTOM);
  let at = rows.length - 1;
  function show(n) {
    at = Math.min(Math.max(n, 0), rows.length - 1);
    const x = LEFT + (dayNumber(rows[at].day) - first) / span * (RIGHT - LEFT);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    svg.append(cursor);
    reading.textContent = words(rows[at]);
  }
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const day = first + (x - LEFT) / (RIGHT - LEFT) * span;
    let nearest = 0;
    rows.forEach((row, n) => {
      if (Math.abs(dayNumber(row.day) - day) < Math.abs(dayNumber(rows[nearest].day) - day)) nearest = n;
    });
    show(nearest);
  });
  const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -Infinity, End: Infinity };
  svg.tabIndex = 0;
  svg.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    show(at + steps[event.key]);
  });
}

async function begin(part) {
  const svg = part.querySelector("svg.index");
  if (!svg) return;
  const answer = await fetch(part.dataset.index, { headers: { accept: "application/json" } });
  const rows = answer.ok ? (await answer.json()).rows : [];
  if (rows.length > 0) follow(svg, rows);
}

for (const part of document.querySelectorAll("[data-index]")) begin(part);
