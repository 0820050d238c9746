// The tab "Stream" of a DAG in Airflow: the stream whose DAG it is.
import { h, paths, withQuery } from "./host.js";
import { at, useAnswer } from "./api.js";
import { Answer, Nothing, PageLink } from "./parts/notice.js";
import { Page } from "./parts/page.js";
import { Stream } from "./pages/stream.js";

function StreamTab({ dagId }) {
  const answer = useAnswer(dagId ? withQuery(at("streams"), { dag_id: dagId }) : null);
  const [found] = answer.data?.streams ?? [];
  if (found) return h(Stream, { platform: found.platform, streamKey: found.stream_key, tab: true });
  return h(
    Page,
    { title: "Stream", tab: true },
    h(Answer, { answer }, () =>
      h(Nothing, { title: "This DAG does not belong to a stream" }, h(PageLink, { to: paths.streams }, "All streams")),
    ),
  );
}

// Airflow looks for the name of the app first; AirflowPlugin alone may be another app's, when two load at once.
globalThis.Stream = StreamTab;
globalThis.AirflowPlugin = StreamTab;
