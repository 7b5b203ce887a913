# docker build -t grid-bulk-exporter .           (or podman, buildah)
# The image holds the exporter, the C library that it is linked to, and nothing else: no shell, no package manager.
# How to run it: deploy/container/README.md. Without a container engine tests/deploy/run replays these steps.

FROM rust:1.95-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
# `dev` builds quickly, for a try.
ARG PROFILE=release
WORKDIR /srv/build

# First an empty program with the same dependencies: this layer is made anew only when they change.
COPY Cargo.toml Cargo.lock ./
# Tests and benchmarks are not copied, and so not named either.
RUN sed -i '/^\[\[/,/^$/d' Cargo.toml \
    && mkdir src && touch src/lib.rs && echo 'fn main() {}' | tee src/main.rs > build.rs \
    && cargo build --locked --profile "$PROFILE" \
    && rm -r src build.rs

COPY . .
# What --version and grid_bulk_exporter_build_info call the revision; .git is not copied.
ARG REVISION=unknown
# The empty program is newer than the sources: cargo would take it for built.
RUN sed -i '/^\[\[/,/^$/d' Cargo.toml \
    && find src build.rs -type f -exec touch {} + \
    && GRID_EXPORTER_REVISION="$REVISION" cargo build --locked --profile "$PROFILE"

# What the program needs at run time: its libraries, a user, folders for configuration and state.
RUN folder="$PROFILE" && [ "$PROFILE" != dev ] || folder=debug \
    && program="$(realpath "${CARGO_TARGET_DIR:-target}")/$folder/grid-bulk-exporter" \
    && root=/srv/rootfs && install -d "$root" "$root/usr/bin" "$root/etc/grid-bulk-exporter" "$root/var/lib/grid-bulk-exporter" "$root/tmp" \
    && install -m 755 "$program" "$root/usr/bin/" \
    && ldd "$program" | grep -o '/[^ ]*' | xargs -I{} install -D {} "$root{}" \
    && echo 'grid-bulk-exporter:x:65532:65532::/:/usr/sbin/nologin' > "$root/etc/passwd" \
    && echo 'grid-bulk-exporter:x:65532:' > "$root/etc/group" \
    && echo 'hosts: files dns' > "$root/etc/nsswitch.conf" \
    && chown 65532:65532 "$root/var/lib/grid-bulk-exporter" && chmod 700 "$root/var/lib/grid-bulk-exporter" \
    && chmod 1777 "$root/tmp"

FROM scratch
ARG REVISION=unknown
LABEL org.opencontainers.image.title="grid-bulk-exporter" \
      org.opencontainers.image.description="Prometheus exporter for bulk customer imports of Lightspark Grid" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /srv/rootfs/ /
# Nothing is written but what --storage.path names, so that the root can be read-only.
USER 65532:65532
# A grid-bulk-exporter.yml that is mounted here is taken without a flag.
WORKDIR /etc/grid-bulk-exporter
# 10310: metrics, page, API; 10311: webhooks, where they are configured.
EXPOSE 10310 10311
HEALTHCHECK --interval=15s --timeout=6s --start-period=15s CMD ["/usr/bin/grid-bulk-exporter", "healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/grid-bulk-exporter"]
