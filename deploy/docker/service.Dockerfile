# The service: FastAPI and onnxruntime, no TensorFlow. Build from the root of the repository:
#   docker build -f deploy/docker/service.Dockerfile -t almanac-service .

FROM python:3.11-slim AS packages
COPY deploy/docker/build.lock deploy/docker/service.lock /src/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
        -r /src/service.lock -r /src/build.lock
COPY pyproject.toml README.md LICENSE /src/
COPY almanac /src/almanac
COPY models /src/models
COPY service /src/service
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation /src

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/almanac --create-home almanac
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ALMANAC_HOME=/var/lib/almanac \
    OPENBLAS_NUM_THREADS=1
WORKDIR /var/lib/almanac
USER almanac
VOLUME /var/lib/almanac
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
ENTRYPOINT ["almanac"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
