// The keys of a config in the order in which people think of them.
const GROUPS = [
  ["Stream", ["stream_key", "store_name", "single_dataset", "datasets", "owner", "tags"]],
  ["Schedule", ["schedule", "schedule_assets", "timezone", "latency_seconds", "time_slice_seconds"]],
  ["Merge", ["ingestion_type", "milestoning", "strategy", "audit_interval", "max_delete_fraction", "connect_wait"]],
  ["Execution", ["runner", "pool", "priority", "retries", "execution_timeout", "deferrable", "on_failed_pod"]],
  [
    "Pod",
    ["datasurface_docker_image", "image_pull_policy", "image_pull_secrets", "service_account", "resources", "node_selector", "tolerations"],
  ],
  [
    "Platform, merge store and model",
    [
      "original_platform_name",
      "platform_name",
      "namespace_name",
      "postgres_hostname",
      "postgres_port",
      "postgres_database",
      "git_repo_url",
      "git_repo_branch",
    ],
  ],
  ["Secrets", ["source_credential_secret_name", "postgres_credential_secret_name", "git_credential_secret_name", "slack_credential_secret_name"]],
];

/** [title, keys] of what the schema has; a key that is in no group is in the last one. */
export function grouped(schema) {
  const known = new Set(GROUPS.flatMap(([, keys]) => keys));
  const all = Object.keys(schema.properties);
  return [...GROUPS, ["More", all.filter((key) => !known.has(key))]]
    .map(([title, keys]) => [title, keys.filter((key) => key in schema.properties)])
    .filter(([, keys]) => keys.length);
}
