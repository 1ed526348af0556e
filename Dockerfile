# syntax=docker/dockerfile:1.17.1
FROM python:3.11.13-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    UV_NO_CACHE=1 \
    UV_NO_CONFIG=1 \
    UV_PYTHON_DOWNLOADS=never

WORKDIR /srv/cryptomarket
# The pins first: they change seldom, and their layer is the large one.
COPY requirements/uv.txt requirements/run.txt requirements/
RUN python -m venv /opt/uv \
    && /opt/uv/bin/pip install --require-hashes --requirement requirements/uv.txt \
    && python -m venv --without-pip /opt/cryptomarket \
    && /opt/uv/bin/uv pip install --python /opt/cryptomarket/bin/python --compile-bytecode \
        --require-hashes --requirements requirements/run.txt

COPY pyproject.toml README.md LICENSE alembic.ini ./
COPY alembic alembic
COPY cryptomarket cryptomarket
RUN /opt/uv/bin/uv pip install --python /opt/cryptomarket/bin/python --no-deps --no-build-isolation --editable . \
    && /opt/cryptomarket/bin/python -m compileall -q cryptomarket alembic


FROM python:3.11.13-slim-bookworm

LABEL org.opencontainers.image.title="cryptomarket" \
      org.opencontainers.image.description="A streaming gateway between the Deribit exchange and everyone who wants its prices." \
      org.opencontainers.image.licenses="MIT"

# The volume takes its owner from the folder it is mounted over.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin cryptomarket \
    && install --directory --owner=cryptomarket --group=cryptomarket --mode=0700 /var/lib/cryptomarket

COPY --from=build /opt/cryptomarket /opt/cryptomarket
COPY --from=build /srv/cryptomarket /srv/cryptomarket

ENV PATH=/opt/cryptomarket/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    APP_HOST=0.0.0.0 \
    APP_PORT=8003 \
    DATA_DIR=/var/lib/cryptomarket

WORKDIR /srv/cryptomarket
USER 10001:10001
VOLUME ["/var/lib/cryptomarket"]
EXPOSE 8003
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['APP_PORT'] + '/health', timeout=4)"]

CMD ["cryptomarket", "up"]
