// What the admin's own pages lack.

// On a small screen a row of a list stands as a card (admin.css): each cell then tells its column's name.
for (const table of document.querySelectorAll("#result_list, .inline-group .tabular table")) {
  const names = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
  table.setAttribute("role", "table"); // a card is no table to a browser any more, but to who listens it is
  for (const part of table.tHead ? [table.tHead, ...table.tBodies] : table.tBodies) part.setAttribute("role", "rowgroup");
  for (const row of table.rows) {
    row.setAttribute("role", "row");
    [...row.cells].forEach((cell, place) => {
      if (row.parentElement === table.tHead) {
        cell.setAttribute("role", "columnheader");
        const all = cell.querySelector("#action-toggle");
        if (all) cell.dataset.label = all.getAttribute("aria-label");
      } else {
        cell.setAttribute("role", cell.tagName === "TH" ? "rowheader" : "cell");
        if (row.cells.length !== names.length) return;
        if (names[place]) cell.dataset.label = names[place];
        if (["", "-", "–"].includes(cell.textContent.trim()) && !cell.children.length) cell.classList.add("is-bare");
      }
    });
  }
  table.classList.add("cards");
}

// The link to this page may lie beyond the edge of the row of links.
document.querySelector("#small-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// The pictures beside the search fields of two lists to choose from have a name, but are nothing that has one.
addEventListener("load", () => {
  for (const picture of document.querySelectorAll(".search-label-icon")) picture.setAttribute("role", "img");
});
