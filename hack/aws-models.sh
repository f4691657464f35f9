#!/usr/bin/env bash
# Prints the folder of AWS's own service models, which the aws command line ships and the local AWS's answers are judged by
# (internal/localaws/awsmodel). Prints nothing but one line on stderr where there is none: that is no failure, only less is checked.
set -euo pipefail
shopt -s nullglob
if [ -n "${LOCALAWS_MODELS:-}" ]; then # somebody's choice, right or wrong
  echo "$LOCALAWS_MODELS"
  exit
fi
for folder in "${AWS_MODELS_ROOT:=}"/usr/lib/python3/dist-packages/{awscli/botocore,botocore}/data \
  "$AWS_MODELS_ROOT"/usr/local/aws-cli/v2/*/dist/awscli/botocore/data \
  "$AWS_MODELS_ROOT"/{opt/homebrew,usr/local}/Cellar/awscli/*/libexec/lib/python3*/site-packages/awscli/botocore/data \
  "$AWS_MODELS_ROOT"/usr/{local/,}lib{,64}/python3*/{site,dist}-packages/{awscli/botocore,botocore}/data; do
  for model in "$folder"/ec2/2016-11-15/service-2.json{,.gz}; do
    [ -e "$model" ] || continue
    echo "$folder"
    exit
  done
done
echo "the local AWS's answers are not checked against AWS's own models: they come with the aws command line, apt-get install -y awscli" >&2
