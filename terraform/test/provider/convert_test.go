package main

import (
	"testing"

	"github.com/openclaw/clawd/terraform/test/schema"
)

// TestTheSchemaIsServed: every type of the document arrives, with its flags.
func TestTheSchemaIsServed(t *testing.T) {
	doc, err := schema.AWS()
	if err != nil {
		t.Fatal(err)
	}
	got, err := protocol(doc)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.ResourceSchemas) != len(doc.Resources) || len(got.DataSourceSchemas) != len(doc.DataSources) {
		t.Fatalf("%d resources and %d data sources served of %d and %d",
			len(got.ResourceSchemas), len(got.DataSourceSchemas), len(doc.Resources), len(doc.DataSources))
	}
	for name, s := range got.ResourceSchemas {
		if len(s.Block.Attributes) == 0 {
			t.Errorf("%s has no attributes", name)
		}
		for _, a := range s.Block.Attributes {
			if !a.Required && !a.Optional && !a.Computed {
				t.Errorf("%s.%s is neither argument nor result", name, a.Name)
			}
		}
	}
}
