// Addresses and their pages.
import { h, ROOT, Router } from "./host.js";
import { Nothing, PageLink } from "./parts/notice.js";
import { Edit } from "./pages/edit.js";
import { Overview } from "./pages/overview.js";
import { Run } from "./pages/run.js";
import { Runs } from "./pages/runs.js";
import { Stream } from "./pages/stream.js";
import { StreamList } from "./pages/stream_list.js";

const ROUTES = [
  ["", Overview],
  ["/list", StreamList],
  ["/new", Edit],
  ["/runs", Runs],
  ["/runs/:dagId/:runId", Run],
  ["/stream/:platform/:streamKey", Stream],
  ["/stream/:platform/:streamKey/edit", Edit],
];

/** The parts of a path as text; null where somebody has typed one that is no UTF-8. */
function decoded(params) {
  try {
    return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    return null;
  }
}

/** The page at the address bar's path. Airflow makes this component again at each path. */
export function Routed() {
  const { pathname } = Router.useLocation();
  for (const [path, Found] of ROUTES) {
    const match = Router.matchPath(ROOT + path, pathname);
    const params = match && decoded(match.params);
    if (params) return h(Found, params);
  }
  return h(Nothing, { title: "Page not found" }, h(PageLink, { to: ROOT }, "Overview of streams"));
}
