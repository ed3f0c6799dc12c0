# Targets for deploy/; included by the Makefile.

NFPM_VERSION := v2.45.0 # later ones need modules that the Go proxy does not have
NFPM = $$(scripts/tool.sh nfpm github.com/goreleaser/nfpm/v2/cmd/nfpm $(strip $(NFPM_VERSION)))
HELM_VERSION := v4.3.1
HELM = $$(scripts/tool.sh helm helm.sh/helm/v4/cmd/helm $(HELM_VERSION))

##@ Ship

.PHONY: package package-test deploy-test
package: ## dist/*.deb and *.rpm for amd64 and arm64, with checksums
	@nfpm=$(NFPM); scripts/package.sh "$$nfpm" '$(VERSION)' '$(LDFLAGS)'

package-test: package ## Install, start, ask, upgrade and remove the deb; lintian, systemd's own checks (root)
	@scripts/package-test.sh

.PHONY: package-short
package-short: ## The same with the packages of this machine's kind only
	@PACKAGE_ARCHS=$$(dpkg --print-architecture) $(MAKE) package-test

deploy-test: ## Lint and render the Helm chart, check the compose file and the image's recipe
	@helm=$(HELM); scripts/deploy-test.sh "$$helm"

.PHONY: aws-test
aws-test: ## Nodes find each other by EC2 tag: real processes against a double of EC2 that checks their signatures
	@moto=$$(scripts/moto.sh); MOTO_SERVER=$$moto $(GO) test -tags aws -count=1 ./internal/awsjoin

.PHONY: upgrade-test upgrade-full
upgrade-test: ## A rolling upgrade from the version before, under load, there and back; moments between the steps
	@scripts/upgrade-test.sh -short

upgrade-full: ## The same with ten minutes of load
	@scripts/upgrade-test.sh -v

CAPACITYARGS ?=
.PHONY: capacity
capacity: build ## What nodes of a t3.medium's shape carry, beside no-op servers; CAPACITYARGS=-write updates docs/capacity.md (root, cgroup v1)
	@scripts/need.sh wrk=wrk
	@$(GO) run ./internal/capacity $(CAPACITYARGS)

.PHONY: release licenses
release: ## Packages, archives, SBOM (CycloneDX), licenses and sums in dist/; built twice, and the same
	@nfpm=$(NFPM); scripts/release.sh "$$nfpm" '$(VERSION)' '$(LDFLAGS)'

licenses: build ## What bin/clawd is made of, and the license of each part
	@$(GO) run ./internal/release licenses bin/clawd | sed -n '/^==/q;p'
