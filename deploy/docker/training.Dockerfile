# Training, and MLflow's server, which the same packages run. Build from the root of the repository:
#   docker build -f deploy/docker/training.Dockerfile -t almanac-training .

FROM python:3.11-slim AS packages
COPY deploy/docker/training.lock /tmp/training.lock
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/training.lock

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/almanac --create-home almanac \
    && install -d -o almanac -g almanac /var/lib/mlflow
COPY --from=packages /opt/venv /opt/venv
COPY almanac.py LICENSE /app/
COPY models /app/models
COPY training /app/training
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ALMANAC_HOME=/var/lib/almanac
WORKDIR /var/lib/almanac
USER almanac
VOLUME ["/var/lib/almanac", "/var/lib/mlflow"]
# A training that cannot import what it needs is sick; MLflow's server is asked over HTTP (docker-compose.yml).
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=3 \
    CMD ["python", "-m", "almanac", "--version"]
ENTRYPOINT ["python", "-m", "almanac"]
CMD ["train", "/app/training/configs/temperatures.toml"]
