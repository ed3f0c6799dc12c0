package main

import (
	"io"
	"strings"
	"unicode/utf8"
)

// colour is an ANSI colour number; 0 leaves text as it is.
type colour int

const (
	plain  colour = 0
	red    colour = 31
	green  colour = 32
	yellow colour = 33
	faint  colour = 2
)

// cell is one field of a table.
type cell struct {
	text   string
	colour colour
	right  bool // numbers line up at their last digit
}

func text(s string) cell             { return cell{text: printable(s)} }
func num(s string) cell              { return cell{text: s, right: true} }
func tinted(s string, c colour) cell { return cell{text: printable(s), colour: c} }

// table aligns rows under headers. Widths are counted in runes, before
// colours are added, so that escape sequences do not shift columns.
type table struct {
	header []string
	rows   [][]cell
}

func newTable(header ...string) *table { return &table{header: header} }

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// write prints the table; headers are upper case and faint.
func (t *table) write(w io.Writer, colours bool) error {
	head := make([]cell, len(t.header))
	for i, h := range t.header {
		head[i] = cell{text: strings.ToUpper(h), colour: faint, right: t.rightColumn(i)}
	}
	lines := append([][]cell{head}, t.rows...)
	widths := make([]int, len(t.header))
	for _, line := range lines {
		for i, c := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		writeLine(&b, line, widths, colours)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// rightColumn lets a header follow its numbers.
func (t *table) rightColumn(i int) bool {
	return len(t.rows) > 0 && i < len(t.rows[0]) && t.rows[0][i].right
}

func writeLine(b *strings.Builder, line []cell, widths []int, colours bool) {
	for i, c := range line {
		last := i == len(line)-1
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text))
		if i > 0 {
			b.WriteString("  ")
		}
		if c.right {
			b.WriteString(pad)
		}
		b.WriteString(paint(c.text, c.colour, colours))
		if !c.right && !last {
			b.WriteString(pad)
		}
	}
	b.WriteByte('\n')
}

func paint(s string, c colour, colours bool) string {
	if !colours || c == plain || s == "" {
		return s
	}
	return "\x1b[" + itoa(int64(c)) + "m" + s + "\x1b[0m"
}
