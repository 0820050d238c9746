// A stream: how it is, and its batches, config, history and lineage, each behind a tab that the address names.
import { Chakra, h, paths, React, Router, useQuery } from "../host.js";
import { at, useAnswer } from "../api.js";
import { Answer, Notice, PageLink } from "../parts/notice.js";
import { Done, useSaved } from "../parts/done.js";
import { Facts, Page } from "../parts/page.js";
import { Problems } from "../parts/problems.js";
import { Progress } from "../parts/progress.js";
import { finding } from "../parts/quality.js";
import { refreshSeconds, Seen, WhyUnseen } from "../parts/seen.js";
import { State } from "../parts/state.js";
import { duration, fromNow, moment, nextTime, NOTHING, number, percent, plural, says } from "../words.js";
import { ActionButton, Actions } from "./actions.js";
import { worry } from "./overview.js";
import { StreamBatches } from "./stream_batches.js";
import { StreamConfig } from "./stream_config.js";
import { StreamHistory } from "./stream_history.js";
import { StreamLineage } from "./stream_lineage.js";
import { StreamQuality } from "./stream_quality.js";
import { StreamSchema } from "./stream_schema.js";
import { StreamSource } from "./stream_source.js";

const REFRESH_SECONDS = 5;
// A tab with less in it than `Waiting` has would let the page shrink, and move the tabs away under a click.
const WAITING_HEIGHT = "72";
const TABS = [
  ["batches", "Batches", StreamBatches],
  ["quality", "Quality", StreamQuality],
  ["config", "Config", StreamConfig],
  ["history", "History", StreamHistory],
  ["lineage", "Lineage", StreamLineage],
  ["schema", "Schema", StreamSchema],
  ["source", "Source", StreamSource],
];

/** `tab` where it stands in Airflow's page of the DAG. */
export function Stream({ platform, streamKey, tab = false }) {
  const [seconds, setSeconds] = React.useState(REFRESH_SECONDS);
  const answer = useAnswer(at("streams", platform, streamKey), seconds);
  const navigate = Router.useNavigate();
  const [done, setDone] = useSaved();
  React.useEffect(() => setSeconds(refreshSeconds(answer.data, REFRESH_SECONDS)), [answer.data]);
  const [failure, setFailure] = React.useState(null); // why what was asked for failed, as the message above says it
  const after = (result) => {
    setDone(result);
    setFailure(null);
    answer.reload();
  };
  const ended = (why) => {
    if (done?.action === "purge" && !why) {
      navigate(paths.streams, { state: { saved: { what: `${streamKey} on ${platform} is purged` } } });
      return;
    }
    setFailure(why);
    answer.reload();
  };
  const stream = answer.data;
  return h(
    Page,
    {
      tab,
      section: "Streams",
      title: streamKey,
      crumbs: [h(Chakra.Text, { key: "platform", color: "fg.muted" }, platform), h("span", { key: "slash", "aria-hidden": true }, "/")],
      actions: stream ? [tab ? null : h(DagLink, { key: "dag", stream }), h(Actions, { key: "actions", card: stream, onDone: after })] : null,
    },
    done ? h(Done, { key: done.run_id ?? done.what, result: done, path: at("streams", platform, streamKey), stream, onEnd: ended, onClose: () => after(null) }) : null,
    h(Answer, { answer }, (data) => h(Content, { stream: data, failure, onDone: after })),
  );
}

const DagLink = ({ stream }) =>
  h(Chakra.Button, { asChild: true, size: "sm", variant: "ghost" }, h(Router.Link, { to: paths.dag(stream.dag_id) }, "DAG"));

function Content({ stream, failure, onDone }) {
  const above = failure ?? stream.problem;
  return h(
    "div",
    null,
    h(Summary, { stream }),
    stream.progress.map((progress) => h(Progress, { key: progress.run_id, progress })),
    stream.problems.length ? null : h(WhyUnseen, { airflow: stream.airflow }),
    stream.problems.length
      ? h(Notice, { status: "error", title: "The config has problems" }, h(Problems, { problems: stream.problems }))
      : stream.problem && !says(stream.problem, failure)
        ? h(Notice, { status: stream.state === "late" ? "warning" : "error", title: worry(stream) })
        : null,
    stream.refused_delete ? h(RefusedDelete, { stream, refused: stream.refused_delete, onDone }) : null,
    stream.quality_warnings.length ? h(QualityWarning, { checks: stream.quality_warnings }) : null,
    h(Tabbed, { stream, above, onDone }),
  );
}

/** A batch that waits for a person, beside why it failed. */
function RefusedDelete({ stream, refused, onDone }) {
  const what = `Batch ${refused.batch_id} would delete ${number(refused.rows)} of ${number(refused.before)} rows of ${refused.dataset}`;
  if (refused.approved_until) {
    const until = `By ${refused.approved_by ?? "somebody"}, until ${moment(refused.approved_until)}. The next run goes on with it.`;
    return h(Notice, { status: "info", title: `${what}: approved` }, until);
  }
  return h(
    Notice,
    { status: "warning", title: `${what}, and waits for an approval` },
    "If the rows were deleted from the source on purpose, the next run can go on with it.",
    h("div", null, h(ActionButton, { card: stream, name: "approve_delete", onDone })),
  );
}

const NAMED_CHECKS = 5;

function QualityWarning({ checks }) {
  const more = checks.length - NAMED_CHECKS;
  const found = [...checks.slice(0, NAMED_CHECKS).map(finding), more > 0 ? `and ${number(more)} more` : null].filter(Boolean);
  const title = `${plural(checks.length, "quality check is", "quality checks are")} broken by the last batch, which was merged`;
  return h(Notice, { status: "warning", title }, found.join("; "));
}

/** Words that stand in one line. */
const Whole = ({ children }) => h(Chakra.Text, { as: "span", whiteSpace: "nowrap" }, children);

function Summary({ stream }) {
  const { freshness, last_run: last } = stream;
  const late = freshness?.met === false;
  const fresh = freshness
    ? h(
        Chakra.Text,
        { as: "span", color: late ? "red.fg" : undefined },
        h(Whole, null, `${freshness.age_seconds === null ? "no data yet" : duration(freshness.age_seconds)}${freshness.latency_seconds ? "," : ""}`),
        freshness.latency_seconds ? [" ", h(Whole, { key: "need" }, `needs ${duration(freshness.latency_seconds)}`)] : null,
      )
    : NOTHING;
  return h(Facts, {
    facts: [
      ["State", h(State, { state: stream.state })],
      ["Seen by Airflow", h(Seen, { airflow: stream.airflow })],
      ["Last run", last ? h(PageLink, { to: paths.run(stream.dag_id, last.run_id), title: moment(last.end ?? last.start) }, lastRun(last)) : NOTHING],
      ["Next run", h("span", { title: moment(stream.next_run) }, nextTime(stream.next_run))],
      ["Fresh", fresh],
      ["Success (25 runs)", percent(stream.success_rate)],
      ["Rows", number(stream.counts?.total)],
      ["Schedule", stream.schedule ? h(Chakra.Code, { variant: "subtle" }, stream.schedule) : "when triggered"],
      ["Maintained", stream.by_hand ? "by hand" : "by the model"],
    ],
  });
}

/** A run that waits for its turn has no time yet. */
const lastRun = ({ state, start, end }) => [state, (end ?? start) && fromNow(end ?? start)].filter(Boolean).join(", ");

/** `above` is what the page says already of why the stream fails. */
function Tabbed({ stream, above, onDone }) {
  const [query, change] = useQuery();
  const here = TABS.some(([key]) => key === query.tab) ? query.tab : TABS[0][0];
  const [, , Shown] = TABS.find(([key]) => key === here);
  const triggers = TABS.map(([key, label]) => h(Chakra.Tabs.Trigger, { key, value: key, flexShrink: 0 }, label));
  return h(
    Chakra.Tabs.Root,
    { value: here, size: "sm", variant: "line", onValueChange: ({ value }) => change({ tab: value }) },
    h(Chakra.Tabs.List, { "aria-label": "About the stream", overflowX: "auto", overflowY: "hidden" }, triggers),
    TABS.map(([key]) =>
      h(Chakra.Tabs.Content, { key, value: key, pt: 4, minH: WAITING_HEIGHT }, key === here ? h(Shown, { stream, above, onDone }) : null),
    ),
  );
}
