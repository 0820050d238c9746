// What stands where data would: waiting, nothing there, an error with what to do.
import { Chakra, h, React, Router } from "../host.js";

// The error that an answer around this one has shown already: an outage is reported once in a page.
const Reported = React.createContext(undefined);

/** A message with a title; `status` is Chakra's: info, success, warning, error. Screen readers announce it. */
export function Notice({ status, title, children, onClose }) {
  return h(
    Chakra.Alert.Root,
    { status, size: "sm", mb: 3, role: status === "error" ? "alert" : "status", alignItems: "flex-start" },
    h(Chakra.Alert.Indicator),
    h(
      Chakra.Alert.Content,
      { minW: 0, overflowWrap: "anywhere" },
      h(Chakra.Alert.Title, null, title),
      children ? h(Chakra.Alert.Description, null, children) : null,
    ),
    onClose ? h(Chakra.CloseButton, { size: "2xs", onClick: onClose, "aria-label": "Close message" }) : null,
  );
}

export function ErrorNotice({ error, onRetry, stale = false }) {
  const title = stale ? `${error.what} (the data below may be out of date)` : error.what;
  return h(
    Notice,
    { status: stale || error.status === 503 ? "warning" : "error", title },
    error.todo ? h("span", null, error.todo, ". ") : null,
    error.code ? h(Chakra.Code, { size: "sm", variant: "plain", color: "fg.muted", title: "The list of errors explains this code" }, error.code) : null,
    error.status === 401 ? h(LoginLink) : null,
    // A right that one has not got does not come by asking again.
    onRetry && ![401, 403].includes(error.status)
      ? h(Chakra.Button, { size: "2xs", variant: "outline", ms: 2, onClick: onRetry }, "Try again")
      : null,
  );
}

function LoginLink() {
  const address = new URL("auth/login", document.baseURI);
  address.searchParams.set("next", globalThis.location.href);
  return h(Chakra.Link, { href: address.href, variant: "underline" }, "Log in");
}

export function Waiting({ what = "Loading", rows = 6 }) {
  const bars = Array.from({ length: rows }, (_, at) => h(Chakra.Skeleton, { key: at, height: "6", my: 2 }));
  return h(Chakra.Box, { role: "status", "aria-label": what }, bars);
}

export function Nothing({ title, children }) {
  return h(
    Chakra.Box,
    { py: 8, px: 4, textAlign: "center", color: "fg.muted", fontSize: "sm" },
    h(Chakra.Text, { fontWeight: "medium", color: "fg" }, title),
    children,
  );
}

/** What `useAnswer` gave: waiting, the error, or `children(data)`, with a word above when the data is old. */
export function Answer({ answer, waiting, children }) {
  const { data, error, loading, reload } = answer;
  const reported = React.useContext(Reported);
  const again = error && error.what === reported?.what;
  if (data === undefined && again) return h(Nothing, { title: "Unknown: it cannot be read now" });
  if (data === undefined && error) return h(ErrorNotice, { error, onRetry: reload });
  if (data === undefined) return loading ? (waiting ?? h(Waiting)) : null;
  return h(
    "div",
    null,
    error && !again ? h(ErrorNotice, { error, onRetry: reload, stale: true }) : null,
    h(Reported.Provider, { value: error ?? reported }, children(data)),
  );
}

export function PageLink({ to, children, ...rest }) {
  return h(Chakra.Link, { asChild: true, color: "fg.info", ...rest }, h(Router.Link, { to }, children));
}
