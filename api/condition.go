package api

import (
	"fmt"
	"strings"
)

// Condition is what If-Match and If-None-Match of a write ask for. The zero value asks for nothing.
type Condition struct {
	Match     []string // versions, or "*" for any; nil = not asked
	NoneMatch []string
}

// Check tells whether the write may take place, given what is there now. It returns ErrPrecondition when not. Backends
// call it while they hold the lock under which they write.
func (c Condition) Check(exists bool, version string) error {
	if c.Match != nil && !matches(c.Match, exists, version) {
		return fmt.Errorf("%w: If-Match does not hold", ErrPrecondition)
	}
	if c.NoneMatch != nil && matches(c.NoneMatch, exists, version) {
		return fmt.Errorf("%w: If-None-Match does not hold", ErrPrecondition)
	}
	return nil
}

func matches(tags []string, exists bool, version string) bool {
	if !exists {
		return false
	}
	for _, t := range tags {
		if t == "*" || t == version {
			return true
		}
	}
	return false
}

// etag makes a version an entity tag.
func etag(version string) string { return `"` + version + `"` }

// parseTags reads the value of If-Match or If-None-Match: "*" or a list of entity tags. Weak tags are refused, since
// both headers guard writes here and those need the strong comparison. An absent header is nil.
func parseTags(field string, values []string) ([]string, error) {
	if len(values) == 0 {
		return nil, nil
	}
	joined := strings.TrimSpace(strings.Join(values, ","))
	if joined == "*" {
		return []string{"*"}, nil
	}
	tags := []string{}
	for rest := joined; ; {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			break
		}
		if rest[0] != '"' {
			return nil, Invalid(field, "is not * or a list of quoted strong entity tags")
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			return nil, Invalid(field, "has an entity tag without its closing quote")
		}
		tags = append(tags, rest[1:1+end])
		rest = rest[2+end:]
		if rest = strings.TrimLeft(rest, " \t"); rest != "" && rest[0] != ',' {
			return nil, Invalid(field, "has entity tags that are not separated by commas")
		}
	}
	if len(tags) == 0 {
		return nil, Invalid(field, "is empty")
	}
	return tags, nil
}
