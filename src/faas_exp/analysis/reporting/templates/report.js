"use strict";
// Tables: sort by a click on a head, copy as tab-separated text. Print: open what is folded.
for (const figure of document.querySelectorAll("figure.table")) {
  const body = figure.querySelector("tbody");
  const heads = [...figure.querySelectorAll("thead th")];
  const original = [...body.rows];
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = text.replace(/,/g, "").replace(/\u2212/g, "-").match(/^(?:<\s*)?(-?\d+(?:\.\d+)?)/);
    if (text === "\u2013" || text === "") return null;
    return number ? parseFloat(number[1]) - (text.startsWith("<") ? 1e-9 : 0) : text;
  };
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (now === "descending") return body.append(...original);
      const sign = now === "ascending" ? -1 : 1;
      head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
      const rows = original.map((row) => [value(row, column), row]);
      rows.sort(([a], [b]) => (a === null || b === null ? compare(a, b) : sign * compare(a, b)));
      body.append(...rows.map(([, row]) => row));
    });
  });
  const copy = figure.querySelector(".copy");
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    const rows = [...figure.querySelectorAll("tr")];
    const text = rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim()).join("\t")).join("\n");
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  });
}
const open = () => document.querySelectorAll("details").forEach((details) => (details.open = true));
window.addEventListener("beforeprint", open);
const unfold = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  if (target) target.scrollIntoView();
};
window.addEventListener("hashchange", unfold);
unfold();
