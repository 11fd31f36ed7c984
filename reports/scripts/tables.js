"use strict";

/* Tables of class "sortable": each column's heading sorts, and a bar above filters the rows. */
(() => {
  const text = (cell) => (cell ? cell.textContent.trim().replace(/\s+/g, " ") : "");

  const valueOf = (cell) => {
    const data = cell && cell.querySelector("data[value]");
    return data ? Number(data.value) : null;
  };

  /* Rows without a figure stand last whichever way is sorted. */
  const compare = (column, sign) => (one, other) => {
    const [a, b] = [one.cells[column], other.cells[column]];
    const [x, y] = [valueOf(a), valueOf(b)];
    if (x !== null && y !== null) return sign * (x - y);
    if (x !== null || y !== null) return x === null ? 1 : -1;
    return sign * text(a).localeCompare(text(b), undefined, { numeric: true });
  };

  const element = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  const labelled = (words, control) => element("label", {}, element("span", {}, words), control);

  const enhance = (table) => {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...body.rows];
    const state = { column: -1, sign: 1 };

    const order = element("select", {});
    order.append(element("option", { value: -1 }, "as first shown"));
    heads.forEach((head, column) => order.append(element("option", { value: column }, text(head))));
    const turn = element("button", { type: "button" });

    const sort = (column, sign) => {
      Object.assign(state, { column, sign });
      const sorted = column < 0 ? rows : [...rows].sort(compare(column, sign));
      body.append(...sorted);
      heads.forEach((head, place) => {
        if (place === column) head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        else head.removeAttribute("aria-sort");
      });
      order.value = column;
      turn.textContent = sign > 0 ? "lowest first" : "highest first";
      turn.disabled = column < 0;
    };

    const firstSign = (column) =>
      rows.some((row) => valueOf(row.cells[column]) !== null) ? -1 : 1;

    heads.forEach((head, column) => {
      const words = [...head.childNodes];
      const button = element("button", { type: "button", className: "sort" }, ...words);
      head.append(button);
      button.addEventListener("click", () =>
        sort(column, state.column === column ? -state.sign : firstSign(column)),
      );
    });
    order.addEventListener("change", () => {
      const column = Number(order.value);
      sort(column, column < 0 ? 1 : firstSign(column));
    });
    turn.addEventListener("click", () => sort(state.column, -state.sign));

    const wanted = element("input", { type: "search", autocomplete: "off" });
    const kinds = [...new Set(rows.map((row) => row.dataset.paradigm).filter(Boolean))];
    const kind = element("select", {}, element("option", { value: "" }, "all"));
    kinds.forEach((name) => kind.append(element("option", { value: name }, name)));
    const count = element("output", { className: "count" });

    const filter = () => {
      const words = wanted.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row) => {
        const said = text(row.cells[0]).toLowerCase();
        const fits =
          words.every((word) => said.includes(word)) &&
          (!kind.value || row.dataset.paradigm === kind.value);
        row.hidden = !fits;
        shown += fits;
      });
      count.textContent = `${shown} of ${rows.length} rows`;
    };
    wanted.addEventListener("input", filter);
    kind.addEventListener("change", filter);

    const bar = element("div", { className: "bar" }, labelled("Filter", wanted));
    if (kinds.length > 1) bar.append(labelled("Paradigm", kind));
    bar.append(labelled("Sort by", order), turn, count);
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", `Filter and sort: ${table.dataset.name}`);
    (table.closest(".scroll") || table).before(bar);
    sort(-1, 1);
    filter();
  };

  document.querySelectorAll("table.sortable").forEach((table) => {
    if (table.tBodies[0].rows.length > 1) enhance(table);
  });
})();
