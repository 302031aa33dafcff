// Filters and an order for the table of recipes. The table stands on the page as Markdown made it
// and can be read without this script; everything that the script needs to know is in its cells.
(() => {
  const CHOICES = ["Application", "Data", "Method", "Architecture", "Family"];
  const LIMITS = [
    { column: "Reached", label: "Reached at least (%)", fits: (value, limit) => value >= limit },
    { column: "Training", label: "Training at most (s)", fits: (value, limit) => value <= limit },
    { column: "Demo", label: "Demo at most (s)", fits: (value, limit) => value <= limit },
  ];
  const ORDERS = [
    { label: "as listed" },
    { label: "Reached, highest first", column: "Reached", sign: -1 },
    { label: "Frozen control, highest first", column: "Frozen control", sign: -1 },
    { label: "Training, fastest first", column: "Training", sign: 1 },
    { label: "Demo, fastest first", column: "Demo", sign: 1 },
  ];

  const home = document.querySelector(".recipes");
  const table = home && home.querySelector("table");
  if (!table) return;

  const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const rows = [...table.tBodies[0].rows].map((element) => {
    const cells = [...element.cells].map((cell) => cell.textContent.trim().replace(/\s+/g, " "));
    return {
      element,
      text: cells.join(" ").toLowerCase(),
      values: Object.fromEntries(names.map((name, index) => [name, cells[index]])),
    };
  });
  // NaN where there is none yet; thousands are told apart by commas.
  const number = (row, column) => parseFloat(row.values[column].replaceAll(",", ""));

  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const labelled = (words, control) => make("label", {}, words, control);

  const search = make("input", { type: "search", name: "search" });
  const choices = CHOICES.map((column) => {
    const known = [...new Set(rows.map((row) => row.values[column]))].sort();
    const options = ["", ...known].map((value) => make("option", { value }, value || "all"));
    return { column, control: make("select", { name: column }, ...options) };
  });
  const limits = LIMITS.map((limit) => ({
    ...limit,
    control: make("input", { type: "number", min: 0, step: "any", name: limit.column }),
  }));
  const order = make(
    "select",
    { name: "order" },
    ...ORDERS.map(({ label }, value) => make("option", { value }, label)),
  );
  const clear = make("button", { type: "reset" }, "Clear all");
  const status = make("p", { className: "recipes__status" });
  status.setAttribute("role", "status");
  const form = make(
    "form",
    { className: "recipes__filters" },
    labelled("Search", search),
    ...choices.map(({ column, control }) => labelled(column, control)),
    ...limits.map(({ label, control }) => labelled(label, control)),
    labelled("Order", order),
    clear,
  );
  form.setAttribute("aria-label", "Filter the recipes");

  const wanted = (row) =>
    search.value
      .toLowerCase()
      .split(/\s+/)
      .every((word) => row.text.includes(word)) &&
    choices.every(({ column, control }) => !control.value || row.values[column] === control.value) &&
    limits.every(
      ({ column, control, fits }) =>
        control.value === "" || fits(number(row, column), control.valueAsNumber),
    );

  const sorted = () => {
    const { column, sign } = ORDERS[order.value];
    if (!column) return rows;
    const place = (row) => {
      const value = number(row, column);
      return Number.isNaN(value) ? Infinity : sign * value;
    };
    return [...rows].sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
  };

  const show = () => {
    let shown = 0;
    for (const row of sorted()) {
      row.element.hidden = !wanted(row);
      shown += row.element.hidden ? 0 : 1;
      table.tBodies[0].append(row.element);
    }
    status.textContent = shown
      ? `${shown} of ${rows.length} rows`
      : "No row has all of this. Clear a filter to see more.";
  };

  // On a phone the rows are laid out as cards, which would end their being a table for a reader
  // who listens to the page, were it not said again.
  table.setAttribute("role", "table");
  table.setAttribute("aria-label", "Recipes and what they reached");
  [table.tHead, table.tBodies[0]].forEach((part) => part.setAttribute("role", "rowgroup"));
  [...table.tHead.rows[0].cells].forEach((cell) => cell.setAttribute("role", "columnheader"));
  for (const row of table.rows) {
    row.setAttribute("role", "row");
    [...row.cells].forEach((cell, index) => {
      if (cell.tagName !== "TD") return;
      cell.setAttribute("role", "cell");
      cell.dataset.label = names[index];
    });
  }

  form.addEventListener("input", show);
  form.addEventListener("reset", () => setTimeout(show)); // after the fields are empty again
  home.classList.add("recipes--live");
  home.prepend(form, status);
  show();
})();
