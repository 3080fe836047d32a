# A worker, as a user without rights; it needs no credentials but its registration token.
#   pip wheel --no-deps --wheel-dir dist .
#   docker build -f deploy/worker.Dockerfile -t gpugen-worker .
ARG BASE=python:3.11-slim
FROM ${BASE}

COPY deploy/requirements-worker.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r /tmp/requirements.txt
COPY dist/gpugen-*.whl /tmp/
RUN pip install --no-cache-dir --no-deps /tmp/gpugen-*.whl && rm -r /tmp/*

RUN useradd --uid 10001 --create-home gpugen && install -d -o gpugen -m 700 /data
USER 10001
ENV GPUGEN_DATA_DIR=/data HF_HOME=/data/hub DIFFUSERS_DISABLE_REMOTE_CODE=true PYTHONUNBUFFERED=1
VOLUME /data
ENTRYPOINT ["gpugen"]
CMD ["worker", "--token-file", "/run/secrets/gpugen-token"]
