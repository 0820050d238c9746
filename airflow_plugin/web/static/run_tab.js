// The tab "Stream run" of a run in Airflow: what the run brought.
import { h } from "./host.js";
import { Run } from "./pages/run.js";

const RunTab = ({ dagId, runId }) => h(Run, { dagId, runId, tab: true });

// Airflow looks for the name of the app first; AirflowPlugin alone may be another app's, when two load at once.
globalThis["Stream run"] = RunTab;
globalThis.AirflowPlugin = RunTab;
