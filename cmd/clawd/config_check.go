package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	yaml "go.yaml.in/yaml/v3"
)

func (c *cli) configCommand() *cobra.Command {
	return c.group(&cobra.Command{
		Use:   "config",
		Short: "Look at what serve would do",
	}, c.configCheckCommand())
}

func (c *cli) configCheckCommand() *cobra.Command {
	cfg := &config{}
	cmd := c.printing(&cobra.Command{
		Use:   "check",
		Short: "Print the effective configuration and everything wrong with it",
		Long: `Print what 'clawd serve' with the same flags, environment and file would use,
and where each value comes from, and complain about all that is wrong. Nothing
is started and no socket is opened. The output is a valid configuration file.`,
		Example: `  clawd config check --config /etc/clawd/clawd.yaml`,
		RunE:    func(*cobra.Command, []string) error { return c.configCheck(cfg) },
	})
	cfg.declare(cmd.Flags())
	return cmd
}

// configReport is the JSON form of config check.
type configReport struct {
	OK       bool                     `json:"ok"`
	Config   map[string]configSetting `json:"config"`
	Problems []string                 `json:"problems"`
}

type configSetting struct {
	Value  any    `json:"value"`
	Source string `json:"source"` // "default", a file, a CLAWD_… variable or a --flag
}

func (c *cli) configCheck(cfg *config) error {
	_, err := cfg.options()
	report := cfg.report(err)
	if showErr := c.show(report, func(w io.Writer) error { return cfg.writeYAML(w) }); showErr != nil {
		return showErr
	}
	if report.OK {
		return nil
	}
	if c.format != formatJSON {
		c.complain(err)
	}
	return silentError{exitUsage}
}

func (c *config) report(err error) configReport {
	r := configReport{OK: err == nil, Config: map[string]configSetting{}, Problems: []string{}}
	c.each(func(f *pflag.Flag) {
		r.Config[configKey(f.Name)] = configSetting{settingValue(f), string(c.source(f))}
	})
	if err != nil {
		r.Problems = strings.Split(err.Error(), "\n")
	}
	return r
}

// each visits the settings by name.
func (c *config) each(visit func(*pflag.Flag)) {
	c.flags.VisitAll(func(f *pflag.Flag) {
		if c.isSetting(f.Name) {
			visit(f)
		}
	})
}

func (c *config) source(f *pflag.Flag) source {
	if s, ok := c.sources[f.Name]; ok {
		return s
	}
	return "default"
}

// settingValue is a setting as JSON and YAML should show it.
func settingValue(f *pflag.Flag) any {
	switch v := f.Value.(type) {
	case pflag.SliceValue:
		if list := v.GetSlice(); len(list) > 0 {
			return list
		}
		return []string{}
	}
	switch f.Value.Type() {
	case "bool":
		return f.Value.String() == "true"
	case "int":
		var n int64
		if _, err := fmt.Sscan(f.Value.String(), &n); err == nil {
			return n
		}
	}
	return f.Value.String()
}

// writeYAML prints a configuration file with the origin of what is not default
// behind each line.
func (c *config) writeYAML(w io.Writer) error {
	var doc yaml.Node
	doc.Kind = yaml.MappingNode
	var encodeErr error
	c.each(func(f *pflag.Flag) {
		var value yaml.Node
		if err := value.Encode(settingValue(f)); err != nil {
			encodeErr = err
			return
		}
		if value.Kind == yaml.SequenceNode {
			value.Style = yaml.FlowStyle
		}
		if s := c.source(f); s != "default" {
			value.LineComment = "# " + string(s)
		}
		doc.Content = append(doc.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: configKey(f.Name)}, &value)
	})
	if encodeErr != nil {
		return encodeErr
	}
	enc := yaml.NewEncoder(w)
	if err := enc.Encode(&doc); err != nil {
		return err
	}
	return enc.Close()
}
