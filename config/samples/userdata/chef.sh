#!/bin/sh
# First boot with Chef or Cinc: the server brings itself to what its run list says, for the version that it was launched for, and answers
# health checks when that is done. The image has the client in it, and the key that lets new nodes register (validation.pem): a
# key has no place in user data.
#localaws version=${SLIPWAY_VERSION} boot=2s configure=3s
set -eu

# Slipway replaces its own three words wherever they stand, and leaves $client, ${client} and the like to the shell.
version='${SLIPWAY_VERSION}'
release='${SLIPWAY_RELEASE}'   # namespace/name of the Release
revision='${SLIPWAY_REVISION}' # name of its revision: the same version with another image is another one

client=$(command -v cinc-client || command -v chef-client)
folder=/etc/$(basename "${client}" -client) # /etc/cinc or /etc/chef

# A server that takes another one's place is a node of its own.
metadata=http://169.254.169.254/latest
token=$(curl -sSf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$metadata/api/token")
server=$(curl -sSf -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/instance-id")

mkdir -p "$folder"
cat > "$folder/client.rb" <<EOF
chef_server_url 'https://chef.example.com/organizations/shop'
validation_client_name 'shop-validator'
validation_key '$folder/validation.pem'
node_name '$server'
EOF
cat > "$folder/first-boot.json" <<EOF
{
  "run_list": ["recipe[base]", "role[app-server]"],
  "slipway": {"version": "$version", "release": "$release", "revision": "$revision"}
}
EOF

# When it fails, the server stays unhealthy and in no production pool; its log is in /var/log/cloud-init-output.log.
"$client" --once --json-attributes "$folder/first-boot.json" --environment production
rm -f "$folder/validation.pem"
