"use strict";
// The page works without this: it filters the forest, saves figures, and starts the explorer.
document.documentElement.classList.add("scripted");

const filters = document.querySelector("[data-filters]");
if (filters) {
  const rows = [...document.querySelectorAll(".forest > details")];
  const say = () => {
    const wanted = {};
    for (const control of filters.querySelectorAll("[data-filter]"))
      wanted[control.dataset.filter] = control.type === "checkbox" ? (control.checked ? "1" : "") : control.value;
    let shown = 0;
    for (const row of rows) {
      row.hidden = Object.entries(wanted).some(([name, value]) => value && row.dataset[name] !== value);
      shown += row.hidden ? 0 : 1;
    }
    filters.querySelector("[data-count]").textContent = `${shown} of ${rows.length} metrics`;
  };
  filters.addEventListener("input", say);
  say();
}

const save = (name, href) => {
  const link = document.createElement("a");
  link.download = name;
  link.href = href;
  link.click();
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-save]");
  if (!button) return;
  const image = button.closest("figure").querySelector("img");
  if (button.dataset.save === "svg") return save(`${image.dataset.name}.svg`, image.src);
  const canvas = document.createElement("canvas");
  canvas.width = 2 * image.naturalWidth;
  canvas.height = 2 * image.naturalHeight;
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  save(`${image.dataset.name}.png`, canvas.toDataURL("image/png"));
});

// A link into a closed section opens it.
const open = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const section = target && target.querySelector(":scope > details");
  if (section) section.open = true;
};
window.addEventListener("hashchange", open);
open();

const spec = document.getElementById("explorer-spec");
if (spec && window.vegaEmbed) {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const draw = () => {
    document.getElementById("explorer-controls").textContent = "";
    return window.vegaEmbed("#explorer-chart", JSON.parse(spec.textContent), {
      ast: true, // no expression is compiled to code: the page's policy forbids that
      actions: { export: true, source: false, compiled: false, editor: false },
      theme: dark.matches ? "dark" : undefined,
      config: { background: null, font: "system-ui, sans-serif", axis: { gridColor: dark.matches ? "#333b43" : "#e3e7eb" } },
      renderer: "canvas",
      bind: document.getElementById("explorer-controls"),
      downloadFileName: "explorer",
      tooltip: { theme: dark.matches ? "dark" : "light" },
    }).then(() => document.documentElement.classList.add("explored"));
  };
  dark.addEventListener("change", draw);
  draw();
}
