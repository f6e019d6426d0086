"use strict";
/* Hover and zoom of the plots. Without it the page says the same: marks have SVG titles.
 *
 * g.zoom: axes that can be zoomed by dragging a box; figure[data-maps]: what the images show. */
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const NEAR = 18; // px from a mark
  const SMALLEST = 6; // px: a shorter drag is a click

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);

  function show(text, event) {
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 4);
    const below = event.clientY + 16 + tip.offsetHeight;
    tip.style.left = `${Math.max(left, 4)}px`;
    tip.style.top = `${below > innerHeight ? event.clientY - tip.offsetHeight - 10
      : event.clientY + 16}px`;
  }

  // ------------------------------------------------------------------------------ what it tells

  /* Marks with their texts. Their titles are taken away, else the browser shows them as well. */
  function told(svg) {
    return [...svg.querySelectorAll("title")].map((title) => {
      const mark = title.parentNode;
      mark.setAttribute("aria-label", title.textContent);
      title.remove();
      return mark;
    });
  }

  function distance(mark, event) {
    const box = mark.getBoundingClientRect();
    const x = Math.max(box.left - event.clientX, event.clientX - box.right, 0);
    const y = Math.max(box.top - event.clientY, event.clientY - box.bottom, 0);
    return Math.hypot(x, y);
  }

  function nearest(marks, event) {
    let best = null;
    let least = NEAR;
    for (const mark of marks) {
      const far = distance(mark, event);
      if (far < least) [best, least] = [mark, far];
    }
    return best && best.getAttribute("aria-label");
  }

  /* The cell of a map under the pointer. map: see heat.py's cells. */
  function cell(image, map, event) {
    const box = image.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    if (!(x >= 0 && x < 1 && y >= 0 && y < 1)) return "";
    const row = Math.floor(y * map.rows.length);
    const column = Math.floor(x * map.mean[row].length);
    const at = map.begin + (map.end - map.begin) * x;
    const share = (table) => `${(table[row][column] / 10).toFixed(1)} %`;
    if (map.mean[row][column] === null) return `${map.rows[row]}\nnot measured`;
    const spread = map.low ? ` (least ${share(map.low)}, most ${share(map.high)})` : "";
    return `${map.rows[row]}\n${at.toFixed(2)} ${map.unit}: ${share(map.mean)}${spread}`;
  }

  function tells(figure) {
    const svg = figure.querySelector("svg");
    const marks = told(svg);
    const maps = JSON.parse(figure.dataset.maps || "[]");
    const images = [...svg.querySelectorAll("image")].slice(0, maps.length);
    svg.addEventListener("pointermove", (event) => {
      const at = images.findIndex((image) => distance(image, event) === 0);
      show(at >= 0 ? cell(images[at], maps[at], event) : nearest(marks, event), event);
    });
    svg.addEventListener("pointerleave", () => show(""));
  }

  // ----------------------------------------------------------------------------------- the zoom

  function group(parent, before) {
    return parent.insertBefore(document.createElementNS(SVG, "g"), before);
  }

  /* The axes' own layers become children of a clipped and a scaled group. */
  function axes(element) {
    const clipped = element.querySelector("[clip-path]").getAttribute("clip-path");
    const rect = document.getElementById(clipped.slice(5, -1)).querySelector("rect");
    const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => +rect.getAttribute(name));
    const scales = [...element.children].filter((g) => g.id.includes("matplotlib.axis_"));
    const layers = [...element.children].filter((g) => !scales.includes(g)
      && (g.hasAttribute("clip-path") || g.querySelector("[clip-path]"))).map((layer) => {
      const outer = group(element, layer);
      outer.setAttribute("clip-path", clipped);
      const inner = group(outer, null);
      inner.append(layer);
      for (const one of [layer, ...layer.querySelectorAll("[clip-path]")]) {
        one.removeAttribute("clip-path");
      }
      return inner;
    });
    const ticks = scales.map((scale) => [...scale.children].filter((g) => g.id.includes("tick_")));
    return { element, box: { x, y, w, h }, view: { x, y, w, h }, layers, ticks };
  }

  /* Where a tick is; by its label, or by its mark where it has no label. */
  function tickAt(tick, across) {
    const box = (tick.querySelector("text") || tick).getBBox();
    return across ? box.x + box.width / 2 : box.y + box.height / 2;
  }

  function draw(one) {
    const { box, view } = one;
    const [sx, sy] = [box.w / view.w, box.h / view.h];
    const [tx, ty] = [box.x - view.x * sx, box.y - view.y * sy];
    const whole = sx === 1 && sy === 1;
    for (const layer of one.layers) {
      layer.classList.toggle("scaled", !whole);
      layer.setAttribute("transform", whole ? "" : `matrix(${sx} 0 0 ${sy} ${tx} ${ty})`);
      for (const mark of layer.querySelectorAll("use")) { // keeps its shape
        const [x, y] = [mark.getAttribute("x"), mark.getAttribute("y")];
        mark.setAttribute("transform", whole ? "" : `translate(${x} ${y}) `
          + `scale(${1 / sx} ${1 / sy}) translate(${-x} ${-y})`);
      }
    }
    one.ticks.forEach((ticks, axis) => ticks.forEach((tick) => {
      const across = axis === 0;
      const at = tickAt(tick, across);
      const to = across ? at * sx + tx : at * sy + ty;
      const [low, size] = across ? [box.x, box.w] : [box.y, box.h];
      tick.setAttribute("visibility", to < low - 1 || to > low + size + 1 ? "hidden" : "visible");
      tick.setAttribute("transform", across ? `translate(${to - at} 0)` : `translate(0 ${to - at})`);
    }));
  }

  /* Axes that share a side with the zoomed one go with it. */
  function zoom(all, which, view) {
    for (const one of all) {
      for (const [at, size] of [["x", "w"], ["y", "h"]]) {
        if (Math.abs(one.box[at] - which.box[at]) < 1
            && Math.abs(one.box[size] - which.box[size]) < 1) {
          [one.view[at], one.view[size]] = [view[at], view[size]];
        }
      }
      draw(one);
    }
  }

  function back(figure, all) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "back";
    button.textContent = "show all";
    button.hidden = true;
    button.addEventListener("click", () => {
      for (const one of all) {
        one.view = { ...one.box };
        draw(one);
      }
      button.hidden = true;
    });
    figure.querySelector(".drawn").append(button);
    return button;
  }

  function point(svg, event) {
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  }

  const holds = (box, p) => p.x >= box.x && p.x <= box.x + box.w
    && p.y >= box.y && p.y <= box.y + box.h;
  const clamp = (value, low, size) => Math.min(Math.max(value, low), low + size);

  /* A box drawn flat zooms one way only. */
  function chosen(one, from, to) {
    const view = { ...one.view };
    for (const [at, size] of [["x", "w"], ["y", "h"]]) {
      const [low, high] = [from[at], to[at]].sort((a, b) => a - b);
      if (high - low < SMALLEST) continue;
      const scale = one.view[size] / one.box[size];
      view[at] = one.view[at] + (low - one.box[at]) * scale;
      view[size] = (high - low) * scale;
    }
    return view;
  }

  function zooms(figure) {
    const svg = figure.querySelector("svg");
    const all = [...svg.querySelectorAll("g.zoom")].map(axes);
    if (!all.length) return;
    const button = back(figure, all);
    let from = null;
    let which = null;
    let frame = null;
    svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch" || event.button !== 0) return;
      from = point(svg, event);
      which = all.find((one) => holds(one.box, from));
      if (!which) return;
      event.preventDefault();
      svg.setPointerCapture(event.pointerId);
      frame = svg.appendChild(document.createElementNS(SVG, "rect"));
      frame.setAttribute("class", "box");
    });
    const inside = (event) => {
      const p = point(svg, event);
      return { x: clamp(p.x, which.box.x, which.box.w), y: clamp(p.y, which.box.y, which.box.h) };
    };
    svg.addEventListener("pointermove", (event) => {
      if (!frame) return;
      const to = inside(event);
      for (const [at, size] of [["x", "width"], ["y", "height"]]) {
        frame.setAttribute(at, Math.min(from[at], to[at]));
        frame.setAttribute(size, Math.abs(from[at] - to[at]));
      }
    });
    svg.addEventListener("pointerup", (event) => {
      if (!frame) return;
      frame.remove();
      frame = null;
      const to = inside(event);
      if (Math.max(Math.abs(from.x - to.x), Math.abs(from.y - to.y)) < SMALLEST) return;
      zoom(all, which, chosen(which, from, to));
      button.hidden = false;
    });
    svg.addEventListener("dblclick", () => button.click());
  }

  for (const figure of document.querySelectorAll("figure")) {
    tells(figure);
    zooms(figure);
  }
  addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details")) folded.open = true;
  });
})();
