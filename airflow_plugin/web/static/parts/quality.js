// What quality checks have found: of one run, or of a stream over its batches.
import { Chakra, h } from "../host.js";
import { named, plural } from "../words.js";
import { State } from "./state.js";
import { DataTable } from "./table.js";

/** How many rows break a check; of one that measures a value, that value and what is wanted of it. */
export function broken(check) {
  if (check.is_measured) return check.wanted ? measured(check) : check.violations ? "not as demanded" : "as demanded";
  return check.violations ? plural(check.violations, "row") : "none";
}

function measured({ value, wanted, violations }) {
  if (value === null) return violations ? `not ${wanted}` : wanted;
  return `${short(value)}; wanted: ${wanted}`;
}

const short = (value) => Number(value.toPrecision(6)).toLocaleString("en", { maximumSignificantDigits: 6 });

/** Keys of rows that break a check, for those who may see data. */
function Keys({ keys }) {
  const shown = keys.map((key) => Object.entries(key).map(([column, value]) => `${column} ${value ?? "NULL"}`).join(", "));
  return h(Chakra.Text, { as: "span", whiteSpace: "normal", overflowWrap: "anywhere" }, shown.join("; "));
}

/** The words of a check in a sentence: `customers: email_is_set (not null): 3 rows`. */
export const finding = (check) => `${check.dataset}: ${check.check} (${named(check.kind)}): ${broken(check)}`;

export const COLUMNS = [
  { title: "Check", cell: (one) => h(Chakra.Text, { as: "span", fontWeight: "medium" }, one.check) },
  { title: "Dataset", cell: (one) => one.dataset },
  { title: "Kind", cell: (one) => named(one.kind) },
  { title: "Severity", cell: (one) => one.severity },
];

export const keyOf = (one) => JSON.stringify([one.dataset, one.check]);

/** The checks of one run. */
export function Checks({ checks }) {
  const columns = [
    ...COLUMNS,
    { title: "State", cell: (one) => h(State, { state: stateOf(one) }) },
    { title: "Found", end: true, cell: broken },
    ...(checks.some((one) => one.keys.length) ? [{ title: "Keys of such rows", cell: (one) => h(Keys, one) }] : []),
  ];
  return h(DataTable, { label: "Quality checks", columns, rows: checks, keyOf });
}

/** What came of a check: `passed`, or what its severity makes of it. */
export const stateOf = (check) => (check.violations ? (check.severity === "fail" ? "failed" : "warning") : "passed");
