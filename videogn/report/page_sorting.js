// Sorts a table by the column whose title is clicked: largest numbers first, text from A to Z, then the reverse.
// Rows without a value stay last.
document.querySelectorAll("table.sortable").forEach(table => {
  const body = table.tBodies[0];
  const titles = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    if (titles[column].classList.contains("text")) return text;
    const number = parseFloat(text.replace(/,/g, "").replace("\u2212", "-"));
    return Number.isNaN(number) ? null : number;
  };
  const compare = (a, b) => typeof a === "string" ? a.localeCompare(b, undefined, {numeric: true}) : a - b;
  titles.forEach((title, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...title.childNodes);
    title.append(button);
    button.addEventListener("click", () => {
      const first = title.classList.contains("text") ? "ascending" : "descending";
      const second = first === "ascending" ? "descending" : "ascending";
      const order = title.getAttribute("aria-sort") === first ? second : first;
      titles.forEach(other => other.removeAttribute("aria-sort"));
      title.setAttribute("aria-sort", order);
      const rows = [...body.rows].map(row => [value(row, column), row]);
      rows.sort(([a], [b]) => a === null || b === null
        ? (a === null) - (b === null) : compare(a, b) * (order === "ascending" ? 1 : -1));
      body.append(...rows.map(([, row]) => row));
    });
  });
});
