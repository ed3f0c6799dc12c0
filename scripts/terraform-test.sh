#!/usr/bin/env bash
# Checks terraform/ without a cloud: see terraform/README.md.
set -euo pipefail

cd "$(dirname "$0")/.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0

step() { echo "terraform-test: $*" >&2; }
ok() { passed=$((passed + 1)); }

version=$(TF_CLI_CONFIG_FILE=/dev/null terraform version -json 2>/dev/null | sed -n 's/.*"terraform_version": "\([0-9.]*\).*/\1/p') || version=
if [ -z "$version" ] && [ "${TERRAFORM:-}" = optional ]; then
	echo "terraform-test: NOT CHECKED: terraform/, since there is no terraform here and no package registry has it" >&2
	exit 0
fi
if [ -z "$version" ] || [ "$(printf '1.11.0\n%s\n' "$version" | sort -V | head -n 1)" != 1.11.0 ]; then
	echo "terraform-test: MISSING: install terraform 1.11 or later (found: ${version:-none}); no package registry has it" >&2
	exit 1
fi
scripts/need.sh cloud-init=cloud-init shellcheck=shellcheck

step "the stand-in provider, its tests, and the boot scripts"
(cd terraform/test && CGO_ENABLED=0 go build -trimpath -o "$work/plugins/terraform-provider-aws" ./provider && go vet ./... && go test ./...)
ok

# Everything happens in a copy: nothing of Terraform's is left in the tree, and no state or lock file of the tree is used.
mkdir "$work/terraform"
tar -C terraform --exclude=.terraform --exclude='*.tfstate*' -cf - modules examples | tar -C "$work/terraform" -xf -
cat >"$work/terraform.rc" <<RC
provider_installation {
  dev_overrides {
    "hashicorp/aws" = "$work/plugins"
  }
  direct {}
}
disable_checkpoint = true
RC
export TF_CLI_CONFIG_FILE=$work/terraform.rc TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1

step "fmt and documentation"
terraform fmt -check -diff -recursive terraform
ok
(cd terraform/test && go run ./docs -check "$root"/terraform/modules/{cluster,network,observability})
ok

# Terraform warns of the override at every command; what fails is shown whole.
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2 && return 1; }; }

while read -r module; do
	name=${module#"$work"/terraform/}
	step "$name: validate and test"
	(
		cd "$module"
		# With the override there is nothing to initialise but modules; one without providers has not even these.
		quietly terraform get
		quietly terraform validate -no-color
		if [ -d tests ]; then quietly terraform test -no-color && grep -E '^Success' "$work/log"; fi
	)
	ok
done < <(find "$work/terraform" -name versions.tf -printf '%h\n' | sort)

# A misspelt argument has to be found, or all of the above says nothing.
step "the stand-in finds a misspelt argument"
mkdir "$work/wrong"
cp terraform/modules/network/*.tf "$work/wrong/"
sed -i 's/enable_dns_hostnames/enable_dns_hostname/' "$work/wrong/main.tf"
if (cd "$work/wrong" && terraform validate -no-color) >"$work/log" 2>&1 || ! grep -q 'enable_dns_hostname' "$work/log"; then
	cat "$work/log" >&2
	exit 1
fi
ok

# The modules that render user data have no provider, so they can be applied for real.
render() { # MODULE VARIABLES: prints the user data
	(
		cd "$work/terraform/modules/$1"
		printf '%s\n' "$2" >check.auto.tfvars
		quietly terraform init -input=false
		quietly terraform apply -auto-approve -input=false
		terraform output -raw text
	)
}
sum=$(printf 0%.0s {1..64})
step "user data, by cloud-init's schema"
render user-data "
name = \"prod\"
group = \"prod\"
package_url = \"https://packages.example.com/clawd.rpm\"
package_sha256 = \"$sum\"
secrets = { \"gossip.key\" = \"/clawd/prod/gossip-key\", \"tls.pem\" = \"/clawd/prod/tls\" }
settings = { default_policy = { capacity = 5, refill_rate = 5, interval_seconds = 60 } }" >"$work/node.yaml"
render observability/user-data "
name = \"prod\"
region = \"eu-central-1\"
volume_id = \"vol-0123456789abcdef0\"
package_url = \"https://packages.example.com/clawd.rpm\"
package_sha256 = \"$sum\"
prometheus_image = \"prom/prometheus:v3.5.0\"
grafana_image = \"grafana/grafana:12.1.1\"
api_port = 8080
retention = \"30d\"
grafana_password_parameter = \"/clawd/prod/grafana\"" >"$work/monitoring.yaml"
for file in node monitoring; do
	cloud-init schema --config-file "$work/$file.yaml"
	ok
done

step "what the user data writes: units, scripts, clawd.yaml"
/usr/bin/python3 scripts/unpack_user_data.py "$work/node.yaml" "$work/files"
/usr/bin/python3 scripts/unpack_user_data.py "$work/monitoring.yaml" "$work/monitoring"
cp deploy/systemd/clawd.service "$work/files/etc/systemd/system/"
scripts/verify-units.sh "$work"/files/etc/systemd/system/*.service "$work"/files/etc/systemd/system/*.timer
(cd "$work/files/usr/local/lib/clawd" && shellcheck -x -P SCRIPTDIR ./*)
CGO_ENABLED=0 go build -o "$work/clawd" ./cmd/clawd
mkdir -p "$work/credentials"
head -c 32 /dev/zero | base64 >"$work/credentials/gossip.key"
CLAWD_GOSSIP_KEY_FILE=$work/credentials/gossip.key "$work/clawd" config check --config "$work/files/etc/clawd/clawd.yaml" >/dev/null
ok

step "checkov"
checkov=.tools/checkov-$CHECKOV_VERSION
if [ ! -e "$checkov/made" ]; then
	echo "tools: installing checkov $CHECKOV_VERSION into .tools/" >&2
	rm -rf "$checkov"
	python3 -m venv "$checkov"
	# uv installs in parallel what pip would one after the other.
	"$checkov/bin/pip" install --quiet uv==0.13.9
	"$checkov/bin/uv" pip install --quiet --python "$checkov/bin/python" "checkov==$CHECKOV_VERSION"
	touch "$checkov/made"
fi
"$checkov/bin/checkov" --directory terraform/modules --framework terraform --skip-download --quiet --compact
ok

echo "terraform-test: $passed passed, 0 failed"
