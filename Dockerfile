# One image for every process of CMI: the command says which (worker.py, alembic, …).
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/cmi
WORKDIR /build
# Only the files that determine the dependencies, so that this layer is rebuilt when they change and not with the code.
COPY requirements.lock ./
RUN /opt/cmi/bin/pip install --require-hashes --no-deps --only-binary :all: --requirement requirements.lock

FROM python:${PYTHON}
COPY scripts/system_packages.py /tmp/
RUN python /tmp/system_packages.py --must run && rm -rf /tmp/system_packages.py /var/lib/apt/lists/*
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin cmi \
    && install --directory --owner=cmi --group=cmi /var/lib/cmi
ENV PATH=/opt/cmi/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_CACHE_HOME=/tmp/cache
WORKDIR /app
COPY --from=build /opt/cmi /opt/cmi
COPY . .
# The user cannot write here: without these, each process would compile the code and the catalogues for itself.
RUN python -m compileall -q . && python -c 'import words'
USER cmi
CMD ["python", "worker.py"]
