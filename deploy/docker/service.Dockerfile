# The service: FastAPI and onnxruntime, no TensorFlow. Build from the root of the repository:
#   docker build -f deploy/docker/service.Dockerfile -t almanac-service .

FROM python:3.11-slim AS packages
COPY deploy/docker/service.lock /tmp/service.lock
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/service.lock

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/almanac --create-home almanac
COPY --from=packages /opt/venv /opt/venv
COPY almanac.py LICENSE /app/
COPY models /app/models
COPY service /app/service
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ALMANAC_HOME=/var/lib/almanac
WORKDIR /var/lib/almanac
USER almanac
VOLUME /var/lib/almanac
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
ENTRYPOINT ["python", "-m", "almanac"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
