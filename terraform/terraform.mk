# Targets for terraform/; included by the Makefile.

CHECKOV_VERSION    := 3.3.30
AWS_SCHEMA_PACKAGE := @cdktn/provider-aws@25.7.0
TF_DOCUMENTED      := $(addprefix $(CURDIR)/terraform/modules/,cluster network observability)

##@ Terraform

.PHONY: terraform-test terraform-docs terraform-schema
terraform-test: ## fmt, validate and test all modules without a cloud, check user data with cloud-init, policies with checkov
	@CHECKOV_VERSION=$(CHECKOV_VERSION) scripts/terraform-test.sh

.PHONY: terraform-short
terraform-short: ## The same; without terraform it says what was not checked, and goes on
	@TERRAFORM=optional $(MAKE) terraform-test

terraform-docs: ## Write the tables of inputs and outputs into the modules' READMEs
	@cd terraform/test && $(GO) run ./docs $(TF_DOCUMENTED)

terraform-schema: ## Make the schema of the stand-in provider anew (npm)
	@scripts/terraform-schema.sh '$(AWS_SCHEMA_PACKAGE)'
