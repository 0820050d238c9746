# Airflow's official image with this plugin. Build it from the repository's root:
#   docker build -f helm/airflow.Dockerfile -t airflow-stream-factory/airflow:0.1.0 .
# Factory files and settings are not in it: they are of each platform, and the chart mounts them.
ARG AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.12

FROM ${AIRFLOW_IMAGE} AS build
COPY --chown=airflow:0 pyproject.toml README.md LICENSE /tmp/source/
COPY --chown=airflow:0 airflow_plugin /tmp/source/airflow_plugin
COPY --chown=airflow:0 config_schema /tmp/source/config_schema
COPY --chown=airflow:0 merge_jobs /tmp/source/merge_jobs
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /tmp/wheels /tmp/source

FROM ${AIRFLOW_IMAGE}
ARG AIRFLOW_IMAGE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="airflow-stream-factory" \
      org.opencontainers.image.description="Airflow with the stream factory: ingestion DAGs from rows in a table." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${AIRFLOW_IMAGE}"
COPY --from=build /tmp/wheels /tmp/wheels
# Airflow is named in the version that is there, so that nothing changes it; wheels only, so that no compiler is missed.
RUN pip install --no-cache-dir --only-binary :all: \
      "apache-airflow==$(python -c 'from importlib.metadata import version; print(version("apache-airflow"))')" \
      "airflow-stream-factory[airflow] @ file://$(ls /tmp/wheels/*.whl)" \
 && dagfactory --help > /dev/null \
 && python -c "from airflow_plugin.plugin import StreamFactoryPlugin; import airflow_plugin.operators.kubernetes"
