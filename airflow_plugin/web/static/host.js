// What Airflow's UI lends its plugins: React, the router and Chakra, with its theme. So nothing is built or bundled here.
export const { React, ReactRouterDOM: Router, ChakraUI: Chakra } = globalThis;

export const h = React.createElement;

/** Airflow's dark theme has borders that its background almost hides: of panels and fields, and of buttons. */
const BORDERS = ["border", "gray-border", "brand-border", "color-palette-border"];
export const VISIBLE_BORDERS = { _dark: Object.fromEntries(BORDERS.map((name) => [`--chakra-colors-${name}`, "{colors.gray.600}"])) };

export const ROOT = "/plugin/streams";

const encoded = (parts) => parts.map(encodeURIComponent).join("/");

export const paths = {
  overview: ROOT,
  streams: `${ROOT}/list`,
  create: `${ROOT}/new`,
  runs: `${ROOT}/runs`,
  stream: (platform, key) => `${ROOT}/stream/${encoded([platform, key])}`,
  edit: (platform, key) => `${ROOT}/stream/${encoded([platform, key])}/edit`,
  run: (dagId, runId) => `${ROOT}/runs/${encoded([dagId, runId])}`,
  dag: (dagId) => `/dags/${encoded([dagId])}`,
};

/** A path with a query; empty values are left out. */
export function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** The query of the address bar as an object, and a function that changes some of it; paging begins again. */
export function useQuery() {
  const [params, setParams] = Router.useSearchParams();
  const query = Object.fromEntries(params);
  const change = (changes) =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        for (const [key, value] of Object.entries({ offset: "", ...changes })) {
          if (value === "" || value === undefined || value === null) after.delete(key);
          else after.set(key, String(value));
        }
        return after;
      },
      { replace: true },
    );
  return [query, change];
}
