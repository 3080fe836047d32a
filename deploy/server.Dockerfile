# The server, as a user without rights. Build the wheel first (it has the panel in it and needs no tools then):
#   pip wheel --no-deps --wheel-dir dist .
#   docker build -f deploy/server.Dockerfile -t gpugen-server .
# Pin the base by its digest where it matters: --build-arg BASE=python:3.11-slim@sha256:...
ARG BASE=python:3.11-slim
FROM ${BASE}

COPY deploy/requirements-server.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r /tmp/requirements.txt
COPY dist/gpugen-*.whl /tmp/
RUN pip install --no-cache-dir --no-deps /tmp/gpugen-*.whl && rm -r /tmp/*

RUN useradd --uid 10001 --create-home gpugen && install -d -o gpugen -m 700 /data
USER 10001
ENV GPUGEN_DATA_DIR=/data PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8787
HEALTHCHECK --interval=30s --timeout=5s CMD ["python", "-c", \
  "import urllib.request as u; u.urlopen('http://127.0.0.1:8787/healthz', timeout=4)"]
ENTRYPOINT ["gpugen"]
CMD ["serve", "--host", "0.0.0.0", "--log-format", "json"]
