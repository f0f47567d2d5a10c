# One image for every process: Airflow's own, the workers, the demo.
FROM python:3.11-slim-bookworm AS build
WORKDIR /opt/clubsync
RUN python -m venv .venv
COPY requirements.lock pyproject.toml ./
RUN .venv/bin/pip install --quiet "$(grep '^uv==' requirements.lock)" \
 && .venv/bin/uv pip sync --quiet --compile-bytecode --python .venv/bin/python requirements.lock
COPY . .
RUN .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps \
      --config-settings editable_mode=compat --editable .

FROM python:3.11-slim-bookworm
RUN useradd --uid 50000 --gid 0 --create-home airflow \
 && install -d -o airflow -g 0 -m 0775 /opt/airflow /var/lib/clubsync
COPY --from=build --chown=airflow:0 /opt/clubsync /opt/clubsync
USER airflow
WORKDIR /opt/clubsync
ENV PATH=/opt/clubsync/.venv/bin:$PATH \
    AIRFLOW_HOME=/opt/airflow \
    PYTHONUNBUFFERED=1
CMD ["airflow", "version"]
