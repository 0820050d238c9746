// A stream's batches: rows, duration and speed as charts, and each with its datasets.
import { Chakra, h, paths, React, withQuery } from "../host.js";
import { at, useAnswer } from "../api.js";
import { KINDS, MovedBars, PlainBars } from "../charts/bars.js";
import { Legend } from "../charts/frame.js";
import { DatasetCounts } from "../parts/counts.js";
import { Answer, Nothing, PageLink } from "../parts/notice.js";
import { Panel } from "../parts/page.js";
import { State } from "../parts/state.js";
import { DataTable } from "../parts/table.js";
import { capital, duration, fromNow, moment, NOTHING, number, says, short } from "../words.js";
import { BatchChanges } from "./batch_changes.js";

const LIMIT = 50;
const REFRESH_SECONDS = 5;

export function StreamBatches({ stream, above }) {
  const path = withQuery(at("streams", stream.platform, stream.stream_key, "batches"), { limit: LIMIT });
  const answer = useAnswer(path, REFRESH_SECONDS);
  return h(Answer, { answer }, ({ batches }) =>
    batches.length
      ? h("div", null, h(Charts, { batches }), h(List, { stream, above, batches }))
      : h(Nothing, { title: "No batch yet" }, stream.status === "retired" ? "The stream is retired." : "The first run will load all rows."),
  );
}

function Charts({ batches }) {
  const items = [...batches].reverse();
  const label = (batch) => `#${batch.batch_id}`;
  const titleOf = (batch) => `Batch ${batch.batch_id}, ${moment(batch.start)}`;
  const failed = (batch) => batch.state === "failed";
  const shared = { items, label, titleOf, failed, height: 140 };
  const spoken = `of the last ${items.length} batches; the table below has the numbers`;
  return h(
    Chakra.Grid,
    { gap: 4, mb: 4, templateColumns: "repeat(auto-fit, minmax(min(300px, 100%), 1fr))" },
    h(
      Panel,
      { title: "Rows moved", tools: h(Legend, { series: KINDS }) },
      h(MovedBars, { ...shared, summary: `Rows moved ${spoken}` }),
    ),
    h(
      Panel,
      { title: "Duration" },
      h(PlainBars, { ...shared, value: (batch) => batch.seconds, format: duration, summary: `Duration ${spoken}` }),
    ),
    h(
      Panel,
      { title: "Rows per second" },
      h(PlainBars, { ...shared, value: (batch) => batch.rows_per_second, format: short, summary: `Rows per second ${spoken}` }),
    ),
  );
}

/** Why a batch failed, unless the page says it above. */
function Why({ error, above }) {
  if (!error) return "";
  if (says(above, error)) return h(Chakra.Text, { as: "span", color: "fg.muted", title: error }, "See above");
  return h(Chakra.Text, { color: "red.fg", whiteSpace: "normal", minW: "64", lineClamp: 3, title: error }, error);
}

function List({ stream, above, batches }) {
  const [open, setOpen] = React.useState(null);
  const shown = batches.find((batch) => batch.batch_id === open);
  const has = (key) => batches.some((batch) => batch[key]);
  const columns = [
    {
      title: "Batch",
      cell: (batch) =>
        h(
          Chakra.Button,
          { size: "xs", variant: "plain", p: 0, h: "auto", color: "fg.info", "aria-expanded": batch.batch_id === open, onClick: () => setOpen(batch.batch_id === open ? null : batch.batch_id) },
          `#${batch.batch_id}`,
        ),
    },
    { title: "State", cell: (batch) => h(State, { state: batch.state }) },
    { title: "Started", cell: (batch) => h("span", { title: moment(batch.start) }, fromNow(batch.start)) },
    { title: "Duration", end: true, cell: (batch) => duration(batch.seconds) },
    ...KINDS.map(({ name }) => ({ title: capital(name), end: true, cell: (batch) => number(batch[name]) })),
    { title: "Rows", end: true, cell: (batch) => number(batch.total) },
    { title: "Strategy", cell: (batch) => (batch.strategy ? h(Chakra.Code, { variant: "subtle" }, batch.strategy) : NOTHING) },
    { title: "Run", cell: (batch) => (batch.run_id ? h(PageLink, { to: paths.run(stream.dag_id, batch.run_id) }, "Run") : NOTHING) },
    has("error") && { title: "Error", cell: (batch) => h(Why, { error: batch.error, above }) },
    has("said") && { title: "Message of the source's server", cell: (batch) => (batch.said ? h(Chakra.Text, { whiteSpace: "normal", minW: "64", lineClamp: 3, title: batch.said }, batch.said) : "") },
  ].filter(Boolean);
  return h(
    Chakra.Stack,
    { gap: 4 },
    shown ? h(Panel, { title: `Batch ${shown.batch_id}: counts per dataset` }, h(DatasetCounts, { datasets: shown.datasets })) : null,
    shown?.state === "committed" ? h(BatchChanges, { key: shown.batch_id, platform: stream.platform, streamKey: stream.stream_key, batchId: shown.batch_id }) : null,
    h(DataTable, { label: "Batches", columns, rows: batches, keyOf: (batch) => batch.batch_id }),
  );
}
