# syntax=docker/dockerfile:1
# A proxy. Any number of them, each with a state directory of its own.
# From the root of the repository: docker build --file compose/data-plane.Dockerfile .

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY admin-cli admin-cli
COPY control-plane control-plane
COPY data-plane data-plane
COPY dialect dialect
COPY domain domain
COPY e2e e2e
COPY migrations migrations
COPY proto proto
COPY runtime runtime
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --locked --profile dist --package sluice-data-plane --bin sluice-data-plane \
    && install -D target/dist/sluice-data-plane /out/sluice-data-plane

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10002 sluice \
    && useradd --uid 10002 --gid 10002 --home-dir /var/lib/sluice --shell /usr/sbin/nologin sluice \
    && install --directory --owner 10002 --group 10002 --mode 0755 /var/lib/sluice
COPY --from=build /out/sluice-data-plane /usr/local/bin/sluice-data-plane
USER 10002:10002
WORKDIR /var/lib/sluice
VOLUME /var/lib/sluice
ENV SLUICE_STATE_DIR=/var/lib/sluice \
    SLUICE_DATA_ADDR=0.0.0.0:8080 \
    SLUICE_DATA_OPS_ADDR=0.0.0.0:8081 \
    SLUICE_LOG_FORMAT=json
EXPOSE 8080 8081
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8081 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["/usr/local/bin/sluice-data-plane"]
