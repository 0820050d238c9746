// Where a new stream begins: on a platform, with what its settings say, or with what another of its streams has.
import { h, React, withQuery } from "../host.js";
import { at, call, useAnswer } from "../api.js";
import { Choice, Filters } from "../parts/filters.js";
import { ErrorNotice } from "../parts/notice.js";

// What is a stream's own: a copy must not have it.
const OWN = ["stream_key", "store_name", "datasets", "source_credential_secret_name", "schedule_assets"];
const MOST = 200;

const withoutOwn = (config) => Object.fromEntries(Object.entries(config).filter(([key]) => !OWN.includes(key)));

/** `onPlatform` gets a platform's name, `onCopy` a config to begin with. */
export function Start({ platforms, platform, onPlatform, onCopy }) {
  const [error, setError] = React.useState(null);
  const streams = useAnswer(platform ? withQuery(at("streams"), { platform, limit: MOST }) : null);
  const copy = (key) =>
    call("GET", at("streams", platform, key)).then(({ config }) => onCopy(withoutOwn(config)), setError);
  const names = platforms.map((one) => [one.platform, one.name ?? one.platform]);
  const keys = (streams.data?.streams ?? []).map((one) => [one.stream_key, `Like ${one.stream_key}`]);
  return h(
    "div",
    null,
    error ? h(ErrorNotice, { error }) : null,
    h(
      Filters,
      { role: "group" },
      h(Choice, { label: "Platform", any: false, value: platform ?? "", options: [["", "Choose a platform"], ...names], onChange: onPlatform }),
      keys.length
        ? h(Choice, { label: "Copy from", any: false, value: "", options: [["", "Defaults of the platform"], ...keys], onChange: (key) => key && copy(key) })
        : null,
    ),
  );
}
