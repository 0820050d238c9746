// The entry "Streams" in Airflow's navigation.
import { Routed } from "./routes.js";

// Airflow looks for the name of the app first; AirflowPlugin alone may be another app's, when two load at once.
globalThis.Streams = Routed;
globalThis.AirflowPlugin = Routed;
