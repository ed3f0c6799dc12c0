package sim

import (
	"bytes"
	"encoding/json"
)

// Marshal writes a plan as JSON, one operation a line, to be kept as a
// regression.
func (p *Plan) Marshal() ([]byte, error) {
	config, err := json.MarshalIndent(p.Config, "", "  ")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(bytes.TrimSuffix(config, []byte("\n}")))
	b.WriteString(",\n  \"Ops\": [")
	for i := range p.Ops {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n    ")
		op, err := json.Marshal(&p.Ops[i])
		if err != nil {
			return nil, err
		}
		b.Write(op)
	}
	b.WriteString("\n  ]\n}\n")
	return b.Bytes(), nil
}

// UnmarshalPlan reads what Marshal wrote.
func UnmarshalPlan(text []byte) (*Plan, error) {
	p := new(Plan)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, err
	}
	return p, nil
}
