// Talking to the plugin's REST API: one call, and a hook that reads an address and keeps it fresh.
import { React } from "./host.js";

const API = new URL("../api/", import.meta.url);

/** What the API refused: `status` (0: no answer), `what`, `todo`, the error's `code`, and the problems of a config. */
export class ApiError extends Error {
  constructor(status, { what, todo = "", code = "", problems = [] }) {
    super(what);
    Object.assign(this, { status, what, todo, code, problems });
  }
}

const NO_ANSWER = { what: "Airflow's api-server does not answer", todo: "Check that it is running; the page tries again" };

const pathOf = (parts) => parts.map(encodeURIComponent).join("/");

/** An address of the API from its parts: `at("streams", platform, key)`. */
export const at = (...parts) => pathOf(parts);

export async function call(method, path, body, signal) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(new URL(path, API), {
      method,
      headers,
      signal,
      credentials: "same-origin",
      body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, NO_ANSWER);
  }
  const content = await bodyOf(answer);
  if (answer.ok) return content;
  throw new ApiError(answer.status, isOurs(content) ? { ...content, what: content.detail } : { what: wordFor(answer.status, content?.detail) });
}

/** The JSON of an answer; null for a refusal without any. A good answer that was cut off is no answer. */
async function bodyOf(answer) {
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error; // the page is gone, and must not keep null for what it read
    if (answer.ok) throw new ApiError(0, NO_ANSWER);
    return null;
  }
}

/** Problem details with a code are ours; Airflow and proxies before it have other answers. */
const isOurs = (content) => typeof content?.code === "string" && typeof content.detail === "string";

function wordFor(status, detail) {
  if (status === 401) return "Your session has ended";
  if (status === 403) return "You do not have the right to do that";
  return typeof detail === "string" ? detail : `The api-server answered with ${status}`;
}

// Airflow makes a page again at each path: what was read last is shown until it is read again.
const LAST = new Map();
const MOST_KEPT = 40;

function remember(path, data) {
  LAST.delete(path);
  LAST.set(path, data);
  if (LAST.size > MOST_KEPT) LAST.delete(LAST.keys().next().value);
}

/**
 * What an address gives: `{data, error, loading, reload}`; read again every so many seconds while the page is looked at.
 * Data stays while it is read again and when that fails. Without a path nothing is read.
 */
export function useAnswer(path, everySeconds = 0) {
  const [state, setState] = React.useState({ path, data: LAST.get(path), error: undefined, loading: Boolean(path) });
  const [turn, setTurn] = React.useState(0);
  const reload = React.useCallback(() => setTurn((before) => before + 1), []);
  React.useEffect(() => {
    if (!path) return undefined;
    const stop = new AbortController();
    setState((before) => (before.path === path ? { ...before, loading: true } : { path, data: LAST.get(path), loading: true }));
    call("GET", path, undefined, stop.signal).then(
      (data) => {
        remember(path, data);
        setState({ path, data, error: undefined, loading: false });
      },
      (error) => {
        if (stop.signal.aborted) return;
        if (error.status === 404) LAST.delete(path); // it is gone for good, and is not shown on the next visit
        setState((before) => ({ path, data: before.path === path ? before.data : undefined, error, loading: false }));
      },
    );
    return () => stop.abort();
  }, [path, turn]);
  React.useEffect(() => {
    if (!everySeconds) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && reload(), everySeconds * 1000);
    return () => clearInterval(timer);
  }, [everySeconds, reload]);
  return { ...state, reload };
}

/** A value that follows `value` once it has rested for so many milliseconds. */
export function useRested(value, milliseconds) {
  const [rested, setRested] = React.useState(value);
  React.useEffect(() => {
    const timer = setTimeout(() => setRested(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return rested;
}
