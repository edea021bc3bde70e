# syntax=docker/dockerfile:1
# The control plane, over a PostgreSQL of yours: this image holds no database server.
# From the root of the repository: docker build --file compose/control-plane.Dockerfile .

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
    cargo build --locked --profile dist --package sluice-control-plane --bin sluice-control-plane \
    && install -D target/dist/sluice-control-plane /out/sluice-control-plane

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 sluice \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/sluice --shell /usr/sbin/nologin sluice \
    && install --directory --owner 10001 --group 10001 --mode 0755 /var/lib/sluice
COPY --from=build /out/sluice-control-plane /usr/local/bin/sluice-control-plane
USER 10001:10001
WORKDIR /var/lib/sluice
VOLUME /var/lib/sluice
# Reachable from outside the container only, so the program insists on TLS; DATABASE_URL and
# tls-cert with tls-key, or tls-self-signed, are for whoever runs the image to say.
ENV SLUICE_HOME=/var/lib/sluice \
    SLUICE_CONTROL_ADDR=0.0.0.0:7070 \
    SLUICE_CONTROL_OPS_ADDR=0.0.0.0:7071 \
    SLUICE_LOG_FORMAT=json
EXPOSE 7070 7071
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/bin/bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7071 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["/usr/local/bin/sluice-control-plane"]
