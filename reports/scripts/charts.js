"use strict";

/*
 * Figures of class "chart" hold a drawing and, as JSON, the same figure for plotly.js. The first
 * that comes into view unpacks the library; the drawing stays for print and where that fails.
 */
(() => {
  const figures = [...document.querySelectorAll("figure.chart")];
  const packed = document.getElementById("charts-library");
  if (!figures.length || !packed || !("DecompressionStream" in window)) return;

  const unpack = async () => {
    const bytes = Uint8Array.from(atob(packed.textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    return window.Plotly;
  };
  let library = null;

  /* Figures name the page's colours, as "var(--ink)", which a chart cannot follow by itself. */
  const coloured = (json) => {
    const style = getComputedStyle(document.documentElement);
    return JSON.parse(
      json.replace(/var\((--[a-z-]+)\)/g, (_, name) => style.getPropertyValue(name).trim()),
    );
  };

  const draw = async (figure) => {
    const { data, layout } = coloured(figure.querySelector("script").textContent);
    library = library || unpack();
    const plotly = await library;
    let place = figure.querySelector(".live");
    if (!place) {
      place = document.createElement("div");
      place.className = "live";
      place.setAttribute("role", "img");
      place.setAttribute("aria-label", figure.dataset.name);
      figure.querySelector(".still").after(place);
    }
    layout.width = figure.clientWidth;
    await plotly.react(place, data, layout, { displaylogo: false, displayModeBar: false });
    figure.classList.add("drawn");
  };

  const seen = new IntersectionObserver((entries) => {
    entries
      .filter((entry) => entry.isIntersecting)
      .forEach((entry) => {
        seen.unobserve(entry.target);
        draw(entry.target);
      });
  }, { rootMargin: "200px" });
  figures.forEach((figure) => seen.observe(figure));

  const again = () => document.querySelectorAll("figure.chart.drawn").forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(again, 200);
  });
})();
