# syntax=docker/dockerfile:1
# The operator's command line. It talks to a control plane; it cannot run `sluice up` here.
# From the root of the repository: docker build --file compose/cli.Dockerfile .

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
    cargo build --locked --profile dist --package sluice --bin sluice \
    && install -D target/dist/sluice /out/sluice

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10003 sluice \
    && useradd --uid 10003 --gid 10003 --home-dir /var/lib/sluice --shell /usr/sbin/nologin sluice \
    && install --directory --owner 10003 --group 10003 --mode 0755 /var/lib/sluice
COPY --from=build /out/sluice /usr/local/bin/sluice
USER 10003:10003
WORKDIR /var/lib/sluice
ENTRYPOINT ["/usr/local/bin/sluice"]
