package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/openclaw/clawd/terraform/test/schema"
)

// protocol is the document as protocol 5 wants it.
func protocol(doc schema.Document) (*tfprotov5.GetProviderSchemaResponse, error) {
	provider, err := block(doc.Provider)
	if err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	resources, err := all(doc.Resources)
	if err != nil {
		return nil, err
	}
	data, err := all(doc.DataSources)
	if err != nil {
		return nil, err
	}
	return &tfprotov5.GetProviderSchemaResponse{
		Provider:          &tfprotov5.Schema{Block: provider},
		ResourceSchemas:   resources,
		DataSourceSchemas: data,
	}, nil
}

func all(of map[string]schema.Resource) (map[string]*tfprotov5.Schema, error) {
	out := make(map[string]*tfprotov5.Schema, len(of))
	for name, r := range of {
		b, err := block(r.Block)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = &tfprotov5.Schema{Version: r.Version, Block: b}
	}
	return out, nil
}

func block(from schema.Block) (*tfprotov5.SchemaBlock, error) {
	out := &tfprotov5.SchemaBlock{}
	for _, name := range slices.Sorted(maps.Keys(from.Attributes)) {
		a, err := attribute(name, from.Attributes[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.Attributes = append(out.Attributes, a)
	}
	for _, name := range slices.Sorted(maps.Keys(from.BlockTypes)) {
		b, err := nested(name, from.BlockTypes[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out.BlockTypes = append(out.BlockTypes, b)
	}
	return out, nil
}

func attribute(name string, from schema.Attribute) (*tfprotov5.SchemaAttribute, error) {
	typ, err := tftypes.ParseJSONType(from.Type) //nolint:staticcheck // made for this form
	if err != nil {
		return nil, err
	}
	return &tfprotov5.SchemaAttribute{
		Name: name, Type: typ,
		Required: from.Required, Optional: from.Optional && !from.Required,
		Computed:  from.Computed && !from.Required,
		WriteOnly: from.WriteOnly,
	}, nil
}

var nestings = map[string]tfprotov5.SchemaNestedBlockNestingMode{
	"single": tfprotov5.SchemaNestedBlockNestingModeSingle,
	"list":   tfprotov5.SchemaNestedBlockNestingModeList,
	"set":    tfprotov5.SchemaNestedBlockNestingModeSet,
}

func nested(name string, from schema.Nested) (*tfprotov5.SchemaNestedBlock, error) {
	mode, ok := nestings[from.NestingMode]
	if !ok {
		return nil, fmt.Errorf("nesting mode %q", from.NestingMode)
	}
	inner, err := block(from.Block)
	if err != nil {
		return nil, err
	}
	return &tfprotov5.SchemaNestedBlock{
		TypeName: name, Nesting: mode, Block: inner, MinItems: from.MinItems, MaxItems: from.MaxItems,
	}, nil
}
