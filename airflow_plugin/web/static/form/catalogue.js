// What a stream can be made of, as sync has recorded it: a choice of a datastore brings what the model says of it.

/** The datastore that a config names; undefined where the catalogue is not known, or has none of that name. */
export const storeOf = (stores, config) => stores?.find(({ name }) => name === config.store_name);

/** The names to pick from for a key: datastores and secrets; none where the catalogue is not known. */
export function optionsOf(stores, key) {
  if (!stores) return [];
  if (key === "store_name") return stores.map(({ name }) => name);
  if (key === "source_credential_secret_name") return [...new Set(stores.map(({ credential }) => credential).filter(Boolean))].sort();
  return [];
}

/** The config of a new stream after `key` became `value`: what the model says of a datastore comes with its name. */
export function picked(stores, config, key, value) {
  const after = { ...config, [key]: value };
  if (value === undefined) delete after[key];
  const store = storeOf(stores, after);
  if (!store || !["store_name", "datasets"].includes(key)) return after;
  const datasets = key === "datasets" ? value : store.single_dataset && store.datasets.length > 1 ? undefined : store.datasets;
  const own = {
    single_dataset: store.single_dataset,
    datasets,
    stream_key: keyOf(store, datasets),
    source_credential_secret_name: store.credential ?? config.source_credential_secret_name,
  };
  return Object.fromEntries(Object.entries({ ...after, ...own }).filter(([, one]) => one !== undefined));
}

function keyOf(store, datasets) {
  if (!store.single_dataset) return store.name;
  return datasets?.length === 1 ? `${store.name}#${datasets[0]}` : undefined;
}
