// A run: what came of it, what each dataset brought, and what to do when it failed.
import { Chakra, h, paths, React, Router } from "../host.js";
import { at, useAnswer } from "../api.js";
import { DatasetCounts } from "../parts/counts.js";
import { Answer, Notice, PageLink } from "../parts/notice.js";
import { Facts, Page, Panel } from "../parts/page.js";
import { Progress } from "../parts/progress.js";
import { Checks } from "../parts/quality.js";
import { State } from "../parts/state.js";
import { duration, lasted, moment, named, NOTHING, number } from "../words.js";
import { BatchChanges } from "./batch_changes.js";

const REFRESH_SECONDS = 3;
const ENDED = ["success", "failed"];
const LATER = "Counts are shown when the run has ended";

/** `tab` where it stands in Airflow's page of the run. */
export function Run({ dagId, runId, tab = false }) {
  const path = at("runs", dagId, runId);
  const first = useAnswer(path);
  // A run that has ended stays as it is.
  const live = useAnswer(first.data && !ENDED.includes(first.data.state) ? path : null, REFRESH_SECONDS);
  const answer = live.data ? live : first;
  const run = answer.data;
  return h(
    Page,
    {
      tab,
      section: "Runs",
      title: tab ? "Stream run" : runId,
      actions: run ? h(Links, { run, tab }) : null,
    },
    h(Answer, { answer }, (data) => h(Content, { run: data })),
  );
}

function Links({ run, tab }) {
  const link = (label, to) =>
    h(Chakra.Button, { asChild: true, key: label, size: "sm", variant: "outline" }, h(Router.Link, { to }, label));
  return [
    link("Stream", paths.stream(run.platform, run.stream_key)),
    tab ? null : link("In Airflow", `${paths.dag(run.dag_id)}/runs/${encodeURIComponent(run.run_id)}`),
    // Its address is whole, with the path that Airflow may stand under; the router would put that before it again.
    run.log_url ? h(Chakra.Button, { asChild: true, key: "Log", size: "sm", variant: "outline" }, h("a", { href: run.log_url }, "Log")) : null,
  ];
}

function Content({ run }) {
  const sum = (kind) => number(run.counts?.[kind]);
  const isOver = ENDED.includes(run.state);
  return h(
    "div",
    null,
    h(Facts, {
      facts: [
        ["Stream", h(PageLink, { to: paths.stream(run.platform, run.stream_key) }, `${run.platform} / ${run.stream_key}`)],
        ["State", h(State, { state: run.state })],
        ["Result", run.result && isOver ? h(State, { state: run.result }) : NOTHING],
        ["Started", h("span", { title: named(run.run_type) }, moment(run.start))],
        ["Duration", h("span", { title: run.end ? `ended ${moment(run.end)}` : undefined }, lasted(run))],
        ["Inserted", sum("inserted")],
        ["Updated", sum("updated")],
        ["Deleted", sum("deleted")],
        ["Rows in the source", sum("total")],
      ],
    }),
    run.error ? h(Why, { run }) : null,
    run.progress ? h(Progress, { progress: run.progress }) : null,
    h(Panel, { title: "Counts per dataset", mb: 4 }, h(DatasetCounts, { datasets: run.datasets, none: isOver ? undefined : LATER })),
    run.quality?.length ? h(Panel, { title: "Quality checks", mb: 4 }, h(Checks, { checks: run.quality })) : null,
    run.batches?.length > 1 ? h(Panel, { title: "Batches of this run", mb: 4 }, h(Batches, { batches: run.batches })) : null,
    h(Changed, { run, batches: run.batches?.filter(({ state }) => state === "committed") ?? [] }),
  );
}

/** Why it failed; of a run whose task is tried again, why the try before did. */
function Why({ run }) {
  if (ENDED.includes(run.state)) return h(Notice, { status: "error", title: run.error.what }, run.error.todo);
  return h(Notice, { status: "warning", title: `Its last try failed: ${run.error.what}` }, "It is tried again.");
}

/** What the run's batch changed; of several, of the one that is chosen. */
function Changed({ run, batches }) {
  const [chosen, setChosen] = React.useState(null);
  const shown = batches.length === 1 ? batches[0].batch_id : chosen;
  const choice = batches.map(({ batch_id: id }) =>
    h(Chakra.Button, { key: id, size: "xs", variant: id === shown ? "solid" : "outline", "aria-pressed": id === shown, onClick: () => setChosen(id) }, `What changed in batch ${id}`),
  );
  return h(
    Chakra.Stack,
    { gap: 3 },
    batches.length > 1 ? h(Chakra.HStack, { gap: 2, wrap: "wrap" }, choice) : null,
    shown === null ? null : h(BatchChanges, { key: shown, platform: run.platform, streamKey: run.stream_key, batchId: shown }),
  );
}

function Batches({ batches }) {
  return h(
    Chakra.Stack,
    { gap: 4 },
    batches.map((batch) =>
      h(
        Chakra.Box,
        { key: batch.batch_id },
        h(Chakra.HStack, { mb: 1 }, h("strong", null, `Batch ${batch.batch_id}`), h(State, { state: batch.state }), duration(batch.seconds)),
        h(DatasetCounts, { datasets: batch.datasets }),
      ),
    ),
  );
}
