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
  const answer = useAnswer(withQuery(`${path}/history`, { at: stream.version }), REFRESH_SECONDS);
  const [asked, setAsked] = React.useState(null);
  return h(Answer, { answer }, ({ versions }) =>
    versions.length
      ? h(
          Chakra.Stack,
          { gap: 3 },
          versions.map((version, index) =>
            h(Version, { key: version.version, stream, version, before: versions[index + 1], first: index === 0, onRollback: () => setAsked(version) }),
          ),
          asked ? h(Rollback, { stream, to: asked, path, onDone, onClose: () => setAsked(null) }) : null,
        )
      : h(Nothing, { title: "No history" }, "The row is older than its history."),
  );
}

const whole = ({ status, config }) => ({ status, ...config });

function Version({ stream, version, before, first, onRollback }) {
  const [open, setOpen] = React.useState(first);
  const changes = before ? changesBetween(whole(before), whole(version)) : [];
  const asNow = !changesBetween(whole(stream), whole(version)).length;
  const tools = h(
    Chakra.HStack,
    { gap: 2 },
    changes.length
      ? h(Chakra.Button, { size: "xs", variant: "ghost", "aria-expanded": open, onClick: () => setOpen(!open) }, open ? "Hide changes" : "Show changes")
      : null,
    asNow ? h(Chakra.Badge, { variant: "outline" }, "as it is now") : null,
    !asNow && stream.can_edit
      ? h(Chakra.Button, { size: "xs", variant: "outline", onClick: onRollback, "aria-label": `Roll back to version ${version.version}` }, "Roll back to this")
      : null,
  );
  return h(
    Panel,
    { title: `Version ${version.version}: ${named(version.action)} by ${version.by ?? "somebody"}`, tools },
    h(
      Chakra.HStack,
      { gap: 3, color: "fg.muted", fontSize: "xs" },
      h(State, { state: version.status }),
      h("span", { title: fromNow(version.at) }, moment(version.at)),
      before ? (changes.length ? null : "changed nothing") : "the first that is known",
    ),
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
      onDone: () => {
        onClose();
        onDone({ what: `Rolled back to version ${to.version}; the DAG follows with the next parse` });
      },
      onClose,
    },
    h(Chakra.Text, { mb: 2 }, "This becomes a new version; nothing is lost."),
    h(Changes, { changes: changesBetween(whole(stream), whole(to)) }),
  );
}
