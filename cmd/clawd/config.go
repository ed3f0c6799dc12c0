package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

const envPrefix = "CLAWD_"

// envElsewhere are variables with the prefix that serve does not read as
// settings: the operator's verbs and --config do.
var envElsewhere = []string{"addr", "config"}

// envOfKubernetes is what the kubelet sets in every pod for a service whose
// name begins with clawd, as NAME=value in lower case. Nobody wrote it, so it
// is no mistake; a CLAWD_PORT=8080 is one.
var envOfKubernetes = regexp.MustCompile(`^([a-z0-9_]+_)?(service_(host|port)(_[a-z0-9_]+)?=|port_[0-9]+_(tcp|udp|sctp)(_[a-z]+)?=|port=(tcp|udp|sctp)://)`)

// source is where a setting's value comes from.
type source string

// keySeparator cannot occur in a key, so that a dot in one is only a dot.
const keySeparator = "\x00"

// config is the settings with the origin of each.
type config struct {
	settings settings
	flags    *pflag.FlagSet
	sources  map[string]source // by flag name
}

// load brings the three layers together: flag before environment before file.
// Unknown keys and values that do not parse are all reported, each with the
// place it was read from. The flags must have been parsed already.
func (c *config) load() error {
	c.sources = map[string]source{}
	layers := []struct {
		from func(key string) source
		read func() (*koanf.Koanf, error)
	}{
		{func(string) source { return source(c.settings.configFile) }, c.readFile},
		{func(key string) source { return source(envPrefix + strings.ToUpper(key)) }, readEnv},
		{func(key string) source { return source("--" + flagName(key)) }, c.readFlags},
	}
	merged := koanf.New(keySeparator)
	origin := map[string]source{}
	var errs []error
	for _, l := range layers {
		k, err := l.read()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for key := range k.Raw() {
			origin[key] = l.from(key)
		}
		// A layer replaces whole settings: half a policy of each would be
		// nobody's policy.
		for key, value := range k.Raw() {
			merged.Delete(key)
			must(merged.Set(key, value))
		}
	}
	for key, value := range merged.Raw() {
		if err := c.apply(key, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", origin[key], err))
			continue
		}
		c.sources[flagName(key)] = origin[key]
	}
	return sorted(errs)
}

// readFile reads --config; no file is an empty layer.
func (c *config) readFile() (*koanf.Koanf, error) {
	k := koanf.New(keySeparator)
	path := c.settings.configFile
	if path == "" {
		return k, nil
	}
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		var pe *os.PathError
		if errors.As(err, &pe) {
			return nil, fmt.Errorf("config file: %w", pathless(err, path))
		}
		return nil, fmt.Errorf("config file %s: %s", path, oneLine(err.Error()))
	}
	return k, nil
}

// readEnv reads CLAWD_… variables; empty ones count as not set.
func readEnv() (*koanf.Koanf, error) {
	k := koanf.New(keySeparator)
	err := k.Load(env.Provider("", env.Opt{
		Prefix: envPrefix,
		TransformFunc: func(name, value string) (string, any) {
			key := strings.ToLower(strings.TrimPrefix(name, envPrefix))
			if value == "" || slices.Contains(envElsewhere, key) || envOfKubernetes.MatchString(key+"="+value) {
				return "", nil
			}
			return key, value
		},
	}), nil)
	return k, err
}

// readFlags reads the flags that were given on the command line.
func (c *config) readFlags() (*koanf.Koanf, error) {
	k := koanf.New(keySeparator)
	err := k.Load(posflag.ProviderWithFlag(c.flags, keySeparator, nil, func(f *pflag.Flag) (string, any) {
		if !f.Changed || !c.isSetting(f.Name) {
			return "", nil
		}
		return configKey(f.Name), flagText(f)
	}), nil)
	return k, err
}

// flagText is a flag's value in the form apply takes.
func flagText(f *pflag.Flag) any {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.GetSlice()
	}
	return f.Value.String()
}

// notSettings are flags of serve that no file or variable may set.
var notSettings = []string{"config", "help", "output"}

func (c *config) isSetting(flag string) bool {
	return c.flags.Lookup(flag) != nil && !slices.Contains(notSettings, flag)
}

// apply puts a value of any layer into its flag, which parses it. A key is a
// flag's name with '_' for '-'.
func (c *config) apply(key string, value any) error {
	name := flagName(key)
	if !c.isSetting(name) || key != configKey(name) {
		return fmt.Errorf("unknown key %q%s", key, c.suggest(key))
	}
	f := c.flags.Lookup(name)
	if f.Changed {
		return nil // given on the command line, and parsed there
	}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		texts, err := texts(value)
		if err == nil {
			err = list.Replace(texts)
		}
		return wrapKey(key, err)
	}
	s, err := settingText(f, value)
	if err != nil {
		return wrapKey(key, err)
	}
	before := f.Value.String()
	if err := f.Value.Set(s); err != nil {
		// pflag leaves a zero behind, which would be complained about as well.
		must(f.Value.Set(before))
		return wrapKey(key, plainly(f, s, err))
	}
	return nil
}

func wrapKey(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", key, err)
}

// settingText writes a YAML scalar as a flag would be written. A policy may be
// a mapping.
func settingText(f *pflag.Flag, value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", errors.New("has no value; leave the key out for the default")
	case string, bool, int, int64, uint64, float64:
		return fmt.Sprint(v), nil
	case map[string]any:
		if f.Value.Type() == "policy" {
			return pairs(v)
		}
	}
	return "", fmt.Errorf("want a %s", f.Value.Type())
}

// pairs writes a mapping as key=value,key=value.
func pairs(m map[string]any) (string, error) {
	var parts []string
	for key, value := range m {
		switch value.(type) {
		case string, bool, int, int64, uint64, float64:
			parts = append(parts, fmt.Sprintf("%s=%v", key, value))
		default:
			return "", fmt.Errorf("%s: want a number or a word", key)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ","), nil
}

// texts reads a list; a string is split at commas, as the environment knows no
// lists.
func texts(value any) ([]string, error) {
	switch v := value.(type) {
	case string:
		var out []string
		for _, part := range strings.Split(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				out = append(out, part)
			}
		}
		return out, nil
	case []string:
		return v, nil
	case []any:
		out := make([]string, 0, len(v))
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("%v is not a string", item)
			}
			out = append(out, s)
		}
		return out, nil
	}
	return nil, errors.New("want a list")
}

// plainly replaces the standard library's parse errors, which speak of Go.
func plainly(f *pflag.Flag, s string, err error) error {
	switch f.Value.Type() {
	case "duration":
		return fmt.Errorf("%q is not a duration such as 500ms, 30s or 5m", s)
	case "bool":
		return fmt.Errorf("%q is not true or false", s)
	case "int":
		return fmt.Errorf("%q is not a whole number", s)
	}
	return err
}

func flagName(key string) string   { return strings.ReplaceAll(key, "_", "-") }
func configKey(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// suggest names the key that was probably meant.
func (c *config) suggest(key string) string {
	best, distance := "", 3
	c.flags.VisitAll(func(f *pflag.Flag) {
		if !c.isSetting(f.Name) {
			return
		}
		if d := editDistance(configKey(f.Name), strings.ToLower(flagKey(key))); d < distance {
			best, distance = configKey(f.Name), d
		}
	})
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

func flagKey(key string) string { return strings.ReplaceAll(key, "-", "_") }

// editDistance counts the insertions, deletions and replacements from a to b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// sorted joins errors in an order that does not depend on maps.
func sorted(errs []error) error {
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}
