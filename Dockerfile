# The manager's image: one static binary, no shell, no root. `make docker-build IMG=registry/name:tag` builds it;
# `docker buildx build --platform linux/amd64,linux/arm64 .` builds it for more than one kind of machine.
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src

# The modules first: they change less often than the code, and are then taken from the layer's cache.
COPY go.mod go.sum ./
RUN go mod download

# .dockerignore leaves nothing here but what the manager is made from.
COPY . .
ARG VERSION
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOFLAGS=-buildvcs=false \
    go build -trimpath -ldflags="-s -w -X main.version=$VERSION" -o /manager .

FROM gcr.io/distroless/static:nonroot
COPY --from=build /manager /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
