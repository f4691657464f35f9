#!/bin/sh
# First boot of an image that has everything in it but the code: fetch it, write a unit and start that.
#localaws version=${SLIPWAY_VERSION} boot=2s configure=3s
set -eu

mkdir -p /opt/web
curl -sSf "https://artifacts.example.com/web/${SLIPWAY_VERSION}.tar.gz" | tar -xz -C /opt/web

# Slipway replaces its own three words, and leaves ${PORT} to systemd.
cat > /etc/systemd/system/web.service <<'EOF'
[Unit]
Description=web ${SLIPWAY_VERSION} (${SLIPWAY_RELEASE}, ${SLIPWAY_REVISION})
Wants=network-online.target
After=network-online.target

[Service]
Environment=PORT=80
ExecStart=/opt/web/bin/web --port ${PORT}
DynamicUser=yes
AmbientCapabilities=CAP_NET_BIND_SERVICE
Restart=always

[Install]
WantedBy=multi-user.target
EOF
systemctl daemon-reload
systemctl enable --now web.service
