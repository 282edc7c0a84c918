# nerret serve in a container:
#
#   docker build -t nerret .
#   docker run --rm -v "$PWD:/data" nerret index /data/articles.jsonl /data/my-index
#   docker run --rm -p 8000:8000 -v "$PWD/my-index:/data/my-index:ro" -e NERRET_READ_TOKEN=... nerret \
#       serve /data/my-index --host 0.0.0.0
#
# The folder of an index can be read by its owner alone: if that is not you as user 1000, add --user "$(id -u):$(id -g)".

FROM python:3.12-slim AS build
# uv knows where the wheels of torch for processors are; the usual ones bring gigabytes for graphics cards
ENV UV_TORCH_BACKEND=cpu UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
RUN pip install --no-cache-dir uv && uv venv /opt/nerret
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY modeling_nerret modeling_nerret
COPY training training
COPY eval eval
COPY hub_card hub_card
RUN uv pip install --python /opt/nerret --constraint constraints.txt '.[offline,serve,mcp]'

FROM python:3.12-slim
RUN useradd --create-home --uid 1000 nerret
COPY --from=build /opt/nerret /opt/nerret
ENV PATH=/opt/nerret/bin:$PATH HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1 HOME=/tmp
USER nerret
WORKDIR /data
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["nerret"]
CMD ["--help"]
