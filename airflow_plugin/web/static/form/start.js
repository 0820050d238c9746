// Where a new stream begins: on a platform, with what another of its streams has.
import { h, withQuery } from "../host.js";
import { at, call, useAnswer } from "../api.js";
import { Choice, Filters } from "../parts/filters.js";

// What is a stream's own: a copy must not have it.
const OWN = ["stream_key", "store_name", "datasets", "single_dataset", "source_credential_secret_name", "schedule_assets"];
const MOST = 200;

export const firstConfig = (platform) => ({
  original_platform_name: platform.name,
  platform_name: platform.platform,
  ingestion_type: "sql_snapshot",
  single_dataset: false,
  milestoning: platform.milestoning,
});

function copied(config) {
  const kept = Object.entries(config).filter(([key]) => !OWN.includes(key));
  return { ...Object.fromEntries(kept), single_dataset: false };
}

/** `onChoose` gets the platform and the config to begin with. */
export function Start({ platforms, platform, onChoose }) {
  const streams = useAnswer(platform ? withQuery(at("streams"), { platform: platform.platform, limit: MOST }) : null);
  const choosePlatform = (name) => {
    const chosen = platforms.find((one) => one.platform === name);
    if (chosen) onChoose(chosen, firstConfig(chosen));
  };
  const copy = async (key) => {
    if (!key) return;
    const stream = await call("GET", at("streams", platform.platform, key));
    onChoose(platform, copied(stream.config));
  };
  const keys = (streams.data?.streams ?? []).map((one) => [one.stream_key, `Like ${one.stream_key}`]);
  return h(
    Filters,
    { role: "group" },
    h(Choice, {
      label: "Platform",
      any: false,
      value: platform?.platform ?? "",
      options: [["", "Choose a platform"], ...platforms.map((one) => [one.platform, one.name ?? one.platform])],
      onChange: choosePlatform,
    }),
    platform ? h(Choice, { label: "Begin with", any: false, value: "", options: [["", "Begin with…"], ...keys], onChange: copy }) : null,
  );
}
