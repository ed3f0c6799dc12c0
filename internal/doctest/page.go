package doctest

import (
	"fmt"
	"strings"
)

// step is one command of a page.
type step struct {
	line    int // of the command, counted from 1
	command string
	want    []string // lines; none = whatever it prints
}

// block is a fenced block of a page.
type block struct {
	line     int // of the opening fence
	language string
	lines    []string
}

// blocks returns the fenced blocks of a Markdown page.
func blocks(page string) ([]block, error) {
	var (
		found []block
		open  *block
	)
	for i, line := range strings.Split(page, "\n") {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			open = &block{line: i + 1, language: strings.TrimSpace(language)}
		case fence:
			found = append(found, *open)
			open = nil
		case open != nil:
			open.lines = append(open.lines, line)
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block does not end", open.line)
	}
	return found, nil
}

// steps returns the commands of all console blocks of a page, in order.
func steps(page string) ([]step, error) {
	all, err := blocks(page)
	if err != nil {
		return nil, err
	}
	var out []step
	for _, b := range all {
		if b.language != "console" {
			continue
		}
		in, err := b.steps()
		if err != nil {
			return nil, err
		}
		out = append(out, in...)
	}
	return out, nil
}

func (b block) steps() ([]step, error) {
	var out []step
	continued := false
	for i, text := range b.lines {
		line := b.line + 1 + i
		command, isCommand := strings.CutPrefix(text, "$ ")
		switch {
		case continued:
			last := &out[len(out)-1]
			last.command += "\n" + text
			continued = strings.HasSuffix(text, `\`)
		case isCommand:
			out = append(out, step{line: line, command: command})
			continued = strings.HasSuffix(command, `\`)
		case len(out) == 0:
			return nil, fmt.Errorf("line %d: output before the first command of its block: %q", line, text)
		default:
			last := &out[len(out)-1]
			last.want = append(last.want, text)
		}
	}
	if continued {
		return nil, fmt.Errorf("line %d: the command does not end", b.line+len(b.lines))
	}
	return out, nil
}

// untested returns the lines of a page that show a curl command where nothing
// runs it.
func untested(page string) ([]int, error) {
	all, err := blocks(page)
	if err != nil {
		return nil, err
	}
	var lines []int
	for _, b := range all {
		if b.language == "console" {
			continue
		}
		for i, text := range b.lines {
			if strings.Contains(text, "curl ") {
				lines = append(lines, b.line+1+i)
			}
		}
	}
	return lines, nil
}
