// Package schema holds the part of the AWS provider's schema that the Terraform
// modules use, as data. It is made by generate.mjs; see README.md.
package schema

import (
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed aws.schema.json
var text []byte

// Document is the schema of a provider, in the form of
// `terraform providers schema -json`.
type Document struct {
	ProviderVersion string              `json:"provider_version"`
	Provider        Block               `json:"provider"`
	Resources       map[string]Resource `json:"resource_schemas"`
	DataSources     map[string]Resource `json:"data_source_schemas"`
}

// Resource is the schema of one type.
type Resource struct {
	Version int64 `json:"version"`
	Block   Block `json:"block"`
}

// Block has attributes and blocks.
type Block struct {
	Attributes map[string]Attribute `json:"attributes"`
	BlockTypes map[string]Nested    `json:"block_types"`
}

// Attribute is an argument, a result, or both.
type Attribute struct {
	Type      json.RawMessage `json:"type"`
	Optional  bool            `json:"optional"`
	Required  bool            `json:"required"`
	Computed  bool            `json:"computed"`
	WriteOnly bool            `json:"write_only"`
}

// Nested says how often a block may occur.
type Nested struct {
	NestingMode string `json:"nesting_mode"`
	Block       Block  `json:"block"`
	MinItems    int64  `json:"min_items"`
	MaxItems    int64  `json:"max_items"`
}

// AWS returns the schema.
func AWS() (Document, error) {
	var d Document
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("schema: %w", err)
	}
	return d, nil
}
