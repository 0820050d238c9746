// Who changed a stream when, what changed, and the way back.
import { Chakra, h, React, withQuery } from "../host.js";
import { at, useAnswer } from "../api.js";
import { AskToPost } from "../parts/ask.js";
import { Changes, changesBetween } from "../parts/diff.js";
import { Answer, Nothing } from "../parts/notice.js";
import { Panel } from "../parts/page.js";
import { State } from "../parts/state.js";
import { fromNow, moment, named } from "../words.js";

const REFRESH_SECONDS = 10;

export function StreamHistory({ stream, onDone }) {
  const path = at("streams", stream.platform, stream.stream_key);
  // The version is in the address so that a change is shown at once.
  // Of each page that was left for an older one, the last version.
  const [passed, setPassed] = React.useState([]);
  const before = passed.length ? { before: passed.at(-1) } : {};
  const answer = useAnswer(withQuery(`${path}/history`, { at: stream.version, ...before }), REFRESH_SECONDS);
  const [asked, setAsked] = React.useState(null);
  return h(Answer, { answer }, ({ versions, more }) =>
    versions.length
      ? h(
          Chakra.Stack,
          { gap: 3 },
          versions.map((version, index) =>
            h(Version, {
              key: version.version,
              stream,
              version,
              before: versions[index + 1],
              isLast: index === versions.length - 1 && !more,
              first: index === 0,
              isNewest: index === 0 && !passed.length,
              onRollback: () => setAsked(version),
            }),
          ),
          h(Pages, {
            onNewer: passed.length ? () => setPassed(passed.slice(0, -1)) : null,
            onOlder: more ? () => setPassed([...passed, versions.at(-1).version]) : null,
          }),
          asked ? h(Rollback, { stream, to: asked, path, onDone, onClose: () => setAsked(null) }) : null,
        )
      : h(Nothing, { title: "No history" }, "The row was written before history was recorded."),
  );
}

function Pages({ onNewer, onOlder }) {
  const button = (text, onClick) => (onClick ? h(Chakra.Button, { size: "xs", variant: "outline", onClick }, text) : null);
  return onNewer || onOlder ? h(Chakra.HStack, { gap: 2 }, button("Newer", onNewer), button("Older", onOlder)) : null;
}

const whole = ({ status, config }) => ({ status, ...config });

function Version({ stream, version, before, isLast, first, isNewest, onRollback }) {
  const [open, setOpen] = React.useState(first);
  const changes = before ? changesBetween(whole(before), whole(version)) : [];
  const asNow = !changesBetween(whole(stream), whole(version)).length;
  const tools = h(
    Chakra.HStack,
    { gap: 2 },
    changes.length
      ? h(Chakra.Button, { size: "xs", variant: "ghost", "aria-expanded": open, onClick: () => setOpen(!open) }, open ? "Hide changes" : "Show changes")
      : null,
    asNow ? h(Chakra.Badge, { variant: "outline" }, isNewest ? "current" : "same as current") : null,
    !asNow && stream.can_edit
      ? h(Chakra.Button, { size: "xs", variant: "outline", onClick: onRollback, "aria-label": `Roll back to version ${version.version}` }, "Roll back to this")
      : null,
  );
  return h(
    Panel,
    { title: `Version ${version.version}: ${named(version.action)} by ${version.by ?? "somebody"}`, tools },
    h(
      Chakra.HStack,
      { columnGap: 3, rowGap: 0, wrap: "wrap", color: "fg.muted", fontSize: "xs" },
      h(State, { state: version.status }),
      h("span", { title: fromNow(version.at) }, moment(version.at)),
      before ? (changes.length ? null : "changed nothing") : isLast ? "oldest recorded version" : "its changes are on the page of older versions",
    ),
    version.reason ? h(Chakra.Text, { mt: 1, wordBreak: "break-word" }, `Reason: ${version.reason}`) : null,
    open && changes.length ? h(Chakra.Box, { mt: 2 }, h(Changes, { changes })) : null,
  );
}

function Rollback({ stream, to, path, onDone, onClose }) {
  return h(
    AskToPost,
    {
      wide: true,
      title: `Roll back ${stream.stream_key} to version ${to.version}?`,
      yes: "Roll back",
      path: `${path}/rollback`,
      body: { to: to.version, version: stream.version },
      onDone: (result) => {
        onClose();
        onDone({ what: `Rolled back to version ${to.version}`, parse: result.parse });
      },
      onClose,
    },
    h(Chakra.Text, { mb: 2 }, "This becomes a new version; nothing is lost."),
    h(Changes, { changes: changesBetween(whole(stream), whole(to)) }),
  );
}
