# One image for every process: Airflow's own and the workers. The demo's image is built with LOCK=requirements.lock,
# which has the packages of the simulated ERPs too.
FROM python:3.11-slim-bookworm AS build
WORKDIR /opt/clubsync
RUN python -m venv .venv
ARG LOCK=requirements-runtime.lock
COPY requirements.lock ${LOCK} pyproject.toml ./
RUN awk '/^uv==/ {uv = 1} uv {print} uv && !/\\$/ {exit}' requirements.lock > uv.pin \
 && .venv/bin/pip install --quiet --require-hashes --requirement uv.pin \
 && .venv/bin/uv pip sync --quiet --require-hashes --compile-bytecode --python .venv/bin/python ${LOCK}
COPY . .
RUN .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps \
      --config-settings editable_mode=compat --editable .

FROM python:3.11-slim-bookworm
RUN useradd --uid 50000 --gid 0 --create-home airflow \
 && install -d -o airflow -g 0 -m 0700 /opt/airflow /var/lib/clubsync
COPY --from=build --chown=airflow:0 /opt/clubsync /opt/clubsync
USER airflow
WORKDIR /opt/clubsync
ENV PATH=/opt/clubsync/.venv/bin:$PATH \
    AIRFLOW_HOME=/opt/airflow \
    PYTHONUNBUFFERED=1
CMD ["airflow", "version"]
