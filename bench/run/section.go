package main

import (
	"fmt"
	"strings"
)

// section is the outcome of a part. It is remembered in the results file, from
// which the page is made.
type section struct {
	Name    string            `json:"name"`
	Machine machine           `json:"machine"`
	Took    string            `json:"took"`
	Setup   string            `json:"setup"` // what was measured, in a sentence or two
	Table   []string          `json:"table"` // lines of markdown
	Notes   []string          `json:"notes,omitempty"`
	Goals   []goal            `json:"goals,omitempty"`
	Plots   map[string]string `json:"-"` // file name → SVG
	Drawn   []plot            `json:"plots,omitempty"`
}

// plot is a picture of a section.
type plot struct {
	File string `json:"file"`
	Alt  string `json:"alt"`
}

// goal is a target of the product and what came out.
type goal struct {
	What string `json:"what"`
	Want string `json:"want"`
	Got  string `json:"got"`
	Met  bool   `json:"met"`
}

// atMost and atLeast are goals about one number.
func atMost(what string, got, want float64, format string) goal {
	return goal{what, "≤ " + fmt.Sprintf(format, want), fmt.Sprintf(format, got), got <= want}
}

func atLeast(what string, got, want float64, format string) goal {
	return goal{what, "≥ " + fmt.Sprintf(format, want), fmt.Sprintf(format, got), got >= want}
}

func (s *section) draw(file, alt, svg string) {
	if s.Plots == nil {
		s.Plots = map[string]string{}
	}
	s.Plots[file] = svg
	s.Drawn = append(s.Drawn, plot{file, alt})
}

// table adds a head and an alignment row: the first column is text.
func (s *section) head(columns ...string) {
	s.row(columns...)
	s.Table = append(s.Table, "|---"+strings.Repeat("|--:", len(columns)-1)+"|")
}

func (s *section) row(cells ...string) {
	s.Table = append(s.Table, "| "+strings.Join(cells, " | ")+" |")
}

func (s *section) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// markdown is the section with what is needed to judge and repeat it.
func (s *section) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", s.Setup)
	if len(s.Table) > 0 {
		fmt.Fprintf(&b, "%s\n\n", strings.Join(s.Table, "\n"))
	}
	for _, p := range s.Drawn {
		fmt.Fprintf(&b, "![%s](plots/%s)\n\n", p.Alt, p.File)
	}
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	if len(s.Notes) > 0 {
		b.WriteString("\n")
	}
	if len(s.Goals) > 0 {
		b.WriteString(goalTable(s.Goals) + "\n\n")
	}
	fmt.Fprintf(&b, "<sub>`make bench BENCHARGS=\"-only %s\"`, %s, at commit %s on %s; %s.</sub>", s.Name, s.Took, s.Machine.Commit, s.Machine.Date, s.Machine)
	return b.String()
}

func goalTable(goals []goal) string {
	lines := []string{"| goal | wanted | measured | |", "|---|--:|--:|---|"}
	for _, g := range goals {
		lines = append(lines, fmt.Sprintf("| %s | %s | %s | %s |", g.What, g.Want, g.Got, g.verdict()))
	}
	return strings.Join(lines, "\n")
}

func (g goal) verdict() string {
	if g.Met {
		return "met"
	}
	return "**missed**"
}
