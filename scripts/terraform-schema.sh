#!/usr/bin/env bash
# Makes terraform/test/schema/aws.schema.json from an npm package with the provider's bindings.
#   scripts/terraform-schema.sh PACKAGE@VERSION
set -euo pipefail

cd "$(dirname "$0")/../terraform/test/schema"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
(cd "$dir" && npm pack --silent "$1" >/dev/null && tar xzf ./*.tgz)
node generate.mjs "$dir/package" <names.txt >"$dir/aws.schema.json"
mv "$dir/aws.schema.json" aws.schema.json
cp "$dir/package/LICENSE" LICENSE-MPL-2.0.txt
echo "terraform/test/schema/aws.schema.json: $(wc -c <aws.schema.json) bytes from $1"
