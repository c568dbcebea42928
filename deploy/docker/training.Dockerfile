# Training, and MLflow's server, which needs the same packages. Build from the root of the repository:
#   docker build -f deploy/docker/training.Dockerfile -t almanac-training .

FROM python:3.11-slim AS packages
COPY deploy/docker/build.lock deploy/docker/training.lock /src/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
        -r /src/training.lock -r /src/build.lock
COPY pyproject.toml README.md LICENSE /src/
COPY almanac /src/almanac
COPY models /src/models
COPY training /src/training
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation /src

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/almanac --create-home almanac \
    && install -d -o almanac -g almanac /var/lib/mlflow
COPY --from=packages /opt/venv /opt/venv
COPY training/configs /etc/almanac/configs
COPY training/datasets/temperatures.csv /etc/almanac/datasets/
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ALMANAC_HOME=/var/lib/almanac
WORKDIR /var/lib/almanac
USER almanac
VOLUME ["/var/lib/almanac", "/var/lib/mlflow"]
# Checks that the packages can be imported; docker-compose.yml checks MLflow's server over HTTP.
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=3 \
    CMD ["almanac", "--version"]
ENTRYPOINT ["almanac"]
CMD ["train", "/etc/almanac/configs/temperatures.toml"]
