// A stream's quality checks: what each has found in the last batch, and in those before it.
import { Chakra, h, paths, withQuery } from "../host.js";
import { at, useAnswer } from "../api.js";
import { Answer, Nothing, PageLink } from "../parts/notice.js";
import { paletteOf, State } from "../parts/state.js";
import { broken, COLUMNS, keyOf, stateOf } from "../parts/quality.js";
import { DataTable } from "../parts/table.js";
import { moment } from "../words.js";

const LIMIT = 50;
const REFRESH_SECONDS = 5;

export function StreamQuality({ stream }) {
  const path = withQuery(at("streams", stream.platform, stream.stream_key, "batches"), { limit: LIMIT });
  const answer = useAnswer(path, REFRESH_SECONDS);
  return h(Answer, { answer }, ({ batches }) => {
    const checks = overBatches(batches);
    if (!checks.length) return h(Nothing, { title: "No quality check has run" }, "Datasets in the model can have checks: rows without a value, of unwanted values, too few rows, data that is too old, and more.");
    return h(Checks, { stream, checks });
  });
}

/** Each check with its `findings`, {batch, check}, the newest first; those that are broken now stand first. */
export function overBatches(batches) {
  const found = new Map();
  for (const batch of batches) {
    for (const check of batch.quality) {
      const key = keyOf(check);
      if (!found.has(key)) found.set(key, { ...check, findings: [] });
      found.get(key).findings.push({ batch, check });
    }
  }
  return [...found.values()].sort((one, other) => !one.violations - !other.violations);
}

function Checks({ stream, checks }) {
  const columns = [
    ...COLUMNS,
    { title: "Last batch", cell: (one) => h(State, { state: stateOf(one) }) },
    { title: "Found", end: true, cell: broken },
    { title: "Broken in", end: true, cell: (one) => `${one.findings.filter(({ check }) => check.violations).length} of ${one.findings.length}` },
    { title: `Last ${LIMIT} batches, the newest at the right`, cell: (one) => h(Strip, { stream, findings: one.findings }) },
  ];
  return h(DataTable, { label: "Quality checks over batches", columns, rows: checks, keyOf });
}

/** A small square for each batch; one where the check was broken leads to its run. */
function Strip({ stream, findings }) {
  return h(
    Chakra.HStack,
    { gap: "2px", flexWrap: "nowrap" },
    [...findings].reverse().map(({ batch, check }) => {
      const said = `Batch ${batch.batch_id}, ${moment(batch.end ?? batch.start)}: ${broken(check)}`;
      const square = h(Chakra.Box, { as: "span", display: "block", w: "8px", h: "16px", borderRadius: "2px", colorPalette: paletteOf(stateOf(check)), bg: check.violations ? "colorPalette.solid" : "colorPalette.muted" });
      return check.violations
        ? h(PageLink, { key: batch.batch_id, to: paths.run(stream.dag_id, batch.run_id), title: said, "aria-label": said }, square)
        : h("span", { key: batch.batch_id, title: said }, square);
    }),
  );
}
