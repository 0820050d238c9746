// Runs of all streams: filter, sort, page through.
import { Chakra, h, paths, useQuery, withQuery } from "../host.js";
import { at, useAnswer } from "../api.js";
import { Choice, Filters, Search } from "../parts/filters.js";
import { Answer, Nothing, PageLink, Waiting } from "../parts/notice.js";
import { Page } from "../parts/page.js";
import { State } from "../parts/state.js";
import { DataTable, PAGE, Pages } from "../parts/table.js";
import { duration, fromNow, moment, NOTHING, number, plural } from "../words.js";

const REFRESH_SECONDS = 10;
const RUN_STATES = ["queued", "running", "success", "failed"];

export function Runs() {
  const [query, change] = useQuery();
  const { platform, q, state, sort = "-start", offset = 0 } = query;
  const answer = useAnswer(withQuery(at("runs"), { platform, q, state, sort, limit: PAGE, offset }), REFRESH_SECONDS);
  const platforms = useAnswer(at("platforms"));
  const choices = (platforms.data?.platforms ?? []).map((one) => [one.platform, one.name ?? one.platform]);
  return h(
    Page,
    { title: "Runs", section: "Runs" },
    h(
      Filters,
      null,
      h(Search, { label: "Search streams", value: q, onChange: (text) => change({ q: text }) }),
      h(Choice, { label: "Platform", value: platform, options: choices, onChange: (value) => change({ platform: value }) }),
      h(Choice, { label: "State", value: state, options: RUN_STATES.map((one) => [one, one]), onChange: (value) => change({ state: value }) }),
    ),
    h(Answer, { answer, waiting: h(Waiting, { rows: 10 }) }, ({ total, runs }) =>
      runs.length
        ? h(
            "div",
            null,
            h(Chakra.Text, { color: "fg.muted", fontSize: "xs", mb: 1, role: "status" }, plural(total, "run")),
            h(DataTable, { label: "Runs", columns: COLUMNS, rows: runs, keyOf: (run) => `${run.dag_id}/${run.run_id}`, sort, onSort: (order) => change({ sort: order }) }),
            h(Pages, { total, offset: Number(offset), count: runs.length, onOffset: (to) => change({ offset: to || "" }) }),
          )
        : h(Nothing, { title: "No run matches" }, "Change the filters, or trigger a stream."),
    ),
  );
}

/** The result in a word, and why it is no good one. */
function Outcome({ run }) {
  const word = run.result ? h(State, { state: run.result }) : NOTHING;
  if (!run.error) return word;
  return h(
    Chakra.Box,
    { maxW: "48ch", minW: "24ch" },
    word,
    h(Chakra.Text, { fontSize: "xs", lineClamp: 2, title: run.error.what, wordBreak: "break-word" }, run.error.what),
  );
}

const count = (kind) => (run) => number(run.counts?.[kind]);

const COLUMNS = [
  {
    title: "Started",
    sort: "start",
    cell: (run) =>
      h(PageLink, { to: paths.run(run.dag_id, run.run_id), title: moment(run.start), whiteSpace: "nowrap" }, run.start ? fromNow(run.start) : "not yet"),
  },
  { title: "Stream", cell: (run) => h(PageLink, { to: paths.stream(run.platform, run.stream_key) }, run.stream_key) },
  { title: "Platform", cell: (run) => run.platform },
  { title: "State", cell: (run) => h(State, { state: run.state }) },
  { title: "Result", cell: (run) => h(Outcome, { run }) },
  { title: "Duration", sort: "duration", end: true, cell: (run) => duration(run.seconds) },
  { title: "Inserted", end: true, cell: count("inserted") },
  { title: "Updated", end: true, cell: count("updated") },
  { title: "Deleted", end: true, cell: count("deleted") },
  { title: "Rows", end: true, cell: count("total") },
  { title: "Type", cell: (run) => run.run_type },
];
