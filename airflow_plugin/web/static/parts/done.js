// What came of an action, followed to its end: a run that was started, or a row that Airflow is to store.
import { h, paths, React, Router } from "../host.js";
import { at, useAnswer } from "../api.js";
import { number } from "../words.js";
import { Notice, PageLink } from "./notice.js";

const EVERY_SECONDS = 1.5;
const WAITS = { queued: "It waits for its turn.", running: "It is running." };

/** What the page before this one has done, as a state: shown once, not at each reload. */
export function useSaved() {
  const location = Router.useLocation();
  const navigate = Router.useNavigate();
  const state = React.useState(location.state?.saved ?? null);
  React.useEffect(() => {
    if (location.state?.saved) navigate(location, { replace: true, state: null });
  }, [location, navigate]);
  return state;
}

/** `result` is the API's answer to the action, `path` that of the stream; `onEnd` is called once the run has ended, with why it failed. */
export function Done({ result, path, stream, onEnd, onClose }) {
  if (result.run_id && result.dag_id) return h(Followed, { result, path, stream, onEnd, onClose });
  const waits = result.parse && stream && stream.airflow.state !== "stored";
  const title = result.what ?? "Done";
  if (waits) return h(Notice, { status: "info", title, onClose }, "Airflow has not stored it yet.", result.parse.note ? ` ${result.parse.note}` : null);
  return h(Notice, { status: "success", title, onClose }, result.parse ? "Airflow has stored it." : null);
}

/** A run of the stream itself, or one of the platform's operations DAG, whose requests are below the stream's path. */
function Followed({ result, path, stream, onEnd, onClose }) {
  const own = result.dag_id === stream?.dag_id;
  const address = own ? at("runs", result.dag_id, result.run_id) : `${path}/requests/${at(result.run_id)}`;
  const [over, setOver] = React.useState(false);
  const answer = useAnswer(address, over ? 0 : EVERY_SECONDS);
  const run = answer.data;
  const ended = run ? ["success", "failed"].includes(run.state) : false;
  React.useEffect(() => {
    if (!ended) return;
    setOver(true);
    onEnd(run.state === "failed" ? why(run) : null);
  }, [ended]);
  const link = h(PageLink, { to: own ? paths.run(result.dag_id, result.run_id) : `${paths.dag(run?.dag_id ?? result.dag_id)}/runs/${encodeURIComponent(run?.run_id ?? result.run_id)}` }, "See the run");
  if (run?.state === "failed") {
    return h(Notice, { status: "error", title: `It failed: ${why(run)}`, onClose }, link);
  }
  if (ended) return h(Notice, { status: "success", title: `It is done${moved(run)}`, onClose }, `${result.what}. `, link);
  return h(Notice, { status: "info", title: result.what, onClose }, `${WAITS[run?.state] ?? ""} `, link);
}

const why = ({ error }) => error?.what ?? error;

const moved = ({ counts }) =>
  counts ? `: ${["inserted", "updated", "deleted"].map((kind) => `${number(counts[kind])} ${kind}`).join(", ")}` : "";
