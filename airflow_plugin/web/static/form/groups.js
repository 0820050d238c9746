// The keys of a config in the order in which people think of them, with words for each.
const GROUPS = [
  ["Stream", ["store_name", "single_dataset", "datasets", "stream_key", "source_credential_secret_name", "owner", "tags"]],
  ["Schedule", ["schedule", "schedule_assets", "timezone", "latency_seconds", "time_slice_seconds"]],
  ["Merge", ["ingestion_type", "milestoning", "strategy", "audit_interval", "load_connections", "max_delete_fraction", "connect_wait"]],
  ["Execution", ["runner", "pool", "priority", "retries", "execution_timeout"]],
  [
    "Pod",
    [
      "namespace_name",
      "datasurface_docker_image",
      "image_pull_policy",
      "image_pull_secrets",
      "service_account",
      "resources",
      "node_selector",
      "tolerations",
      "deferrable",
      "on_failed_pod",
    ],
  ],
  [
    "Platform, merge store and model",
    [
      "original_platform_name",
      "platform_name",
      "postgres_hostname",
      "postgres_port",
      "postgres_database",
      "postgres_credential_secret_name",
      "git_repo_url",
      "git_repo_branch",
      "git_credential_secret_name",
      "slack_credential_secret_name",
    ],
  ],
];
const POD = "Pod";

// What the words of a key are where they are not the key's own.
const WORDS = new Map([
  ["store_name", "Datastore"],
  ["single_dataset", "One dataset only"],
  ["stream_key", "Name of the stream"],
  ["source_credential_secret_name", "Secret of the source"],
  ["schedule_assets", "Starts after"],
  ["latency_seconds", "Latency that consumers need, in seconds"],
  ["time_slice_seconds", "Time slice, in seconds"],
  ["load_connections", "Connections of a first load"],
  ["ingestion_type", "How the source is read"],
  ["milestoning", "What is kept"],
  ["audit_interval", "Time between audits, in seconds"],
  ["max_delete_fraction", "Largest part that may be deleted"],
  ["connect_wait", "Wait for first connections, in seconds"],
  ["runner", "Where jobs run"],
  ["pool", "Airflow pool"],
  ["execution_timeout", "Time limit, in seconds"],
  ["datasurface_docker_image", "Image of the job"],
  ["namespace_name", "Kubernetes namespace"],
  ["on_failed_pod", "Pods that failed"],
  ["deferrable", "The triggerer waits"],
  ["original_platform_name", "Platform in the model"],
  ["platform_name", "Platform"],
  ["postgres_hostname", "Host of the merge store"],
  ["postgres_port", "Port of the merge store"],
  ["postgres_database", "Database of the merge store"],
  ["postgres_credential_secret_name", "Secret of the merge store"],
  ["git_repo_url", "Repository of the model"],
  ["git_repo_branch", "Branch of the model"],
  ["git_credential_secret_name", "Secret of the repository"],
  ["slack_credential_secret_name", "Secret for notifications"],
  ["shadow", "Trial beside a static DAG"],
]);

/** A key in words: `image_pull_policy` is `Image pull policy`. */
export function wordsOf(key) {
  const last = key.split(".").at(-1).replaceAll("_", " ");
  return WORDS.get(key) ?? last[0].toUpperCase() + last.slice(1);
}

/**
 * [title, keys] of what the schema has; a key that is in no group is in the last one. Where jobs run in no pods, of a
 * pod's keys only those are there that somebody has to take out or correct.
 */
export function grouped(schema, config = {}, troubled = []) {
  const known = new Set(GROUPS.flatMap(([, keys]) => keys));
  const all = Object.keys(schema.properties);
  const runsInPods = (config.runner ?? "kubernetes") === "kubernetes";
  const isOdd = (key) => troubled.includes(key) || (key in config && !schema.required?.includes(key));
  const isShown = (title, key) => title !== POD || runsInPods || isOdd(key);
  return [...GROUPS, ["More", all.filter((key) => !known.has(key))]]
    .map(([title, keys]) => [title, keys.filter((key) => key in schema.properties && isShown(title, key))])
    .filter(([, keys]) => keys.length);
}
