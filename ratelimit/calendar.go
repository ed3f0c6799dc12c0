package ratelimit

import (
	"fmt"
	"time"
)

// CalendarUnit is the length of a calendar window.
type CalendarUnit string

// The units. A week begins on WindowAnchor.Weekday.
const (
	Hourly  CalendarUnit = "hour"
	Daily   CalendarUnit = "day"
	Weekly  CalendarUnit = "week"
	Monthly CalendarUnit = "month"
)

// Window is a calendar window as people write it: a budget "per day in Berlin,
// from six in the morning".
type Window struct {
	Unit CalendarUnit `json:"unit"`
	// Zone is an IANA time zone such as "Europe/Berlin"; "" is UTC.
	Zone   string       `json:"zone,omitempty"`
	Anchor WindowAnchor `json:"anchor,omitzero"`
}

// WindowAnchor shifts where windows begin. Fields that are finer than the unit
// count, the others must be zero.
type WindowAnchor struct {
	// Day of the month, 1..31; a shorter month begins its window on its last
	// day. 0 is 1.
	Day int `json:"day,omitempty"`
	// Weekday is 1 (Monday) .. 7 (Sunday); 0 is Monday.
	Weekday int `json:"weekday,omitempty"`
	Hour    int `json:"hour,omitempty"`
	Minute  int `json:"minute,omitempty"`
}

// Validate reports the first field that is wrong, as a *FieldError. It does not
// look the zone up, see Calendar.
func (w Window) Validate() error {
	a := w.Anchor
	switch {
	case w.Unit != Hourly && w.Unit != Daily && w.Unit != Weekly && w.Unit != Monthly:
		return fieldError("window.unit", "must be hour, day, week or month")
	case a.Minute < 0 || a.Minute > 59:
		return fieldError("window.anchor.minute", "must be between 0 and 59")
	case a.Hour < 0 || a.Hour > 23 || w.Unit == Hourly && a.Hour != 0:
		return fieldError("window.anchor.hour", "must be between 0 and 23, and 0 for an hourly window")
	case a.Weekday < 0 || a.Weekday > 7 || w.Unit != Weekly && a.Weekday != 0:
		return fieldError("window.anchor.weekday", "must be 1 (Monday) to 7 (Sunday), and is for weekly windows only")
	case a.Day < 0 || a.Day > 31 || w.Unit != Monthly && a.Day != 0:
		return fieldError("window.anchor.day", "must be between 1 and 31, and is for monthly windows only")
	}
	return nil
}

// Calendar compiles a valid window. zone is the location of w.Zone.
func (w Window) Calendar(zone *time.Location) Calendar { return Calendar{w, zone} }

// Calendar cuts time into the periods of a window: each instant is in exactly
// one, and periods follow each other without a gap, whatever the clocks on the
// wall do. So a day has 23 to 25 hours where the clocks change, a day whose
// begin is skipped begins at the first instant that is not before it, and a
// local hour that is repeated is two hourly periods.
type Calendar struct {
	window Window
	zone   *time.Location
}

// Period returns the period that t is in: start ≤ t < end.
func (c Calendar) Period(t time.Time) (start, end time.Time) {
	if c.window.Unit == Hourly {
		return c.hour(t)
	}
	// The beginnings around t, ascending. The local date may be two off at
	// worst (a skipped date, and an anchor late in the day).
	local := t.In(c.zone)
	for i := 2; ; i-- {
		begin := c.begin(local, i)
		if !begin.After(t) {
			return begin, end
		}
		end = begin
	}
}

// begin returns where the period begins that is n periods after the one of a
// local date.
func (c Calendar) begin(local time.Time, n int) time.Time {
	y, m, d := local.Date()
	a := c.window.Anchor
	switch c.window.Unit {
	case Weekly:
		past := (int(local.Weekday()) + 6) % 7 // days since Monday
		d += 7*n - (past-max(a.Weekday-1, 0)+7)%7
	case Monthly:
		m += time.Month(n)
		d = min(max(a.Day, 1), time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day())
	default:
		d += n
	}
	return c.firstAt(time.Date(y, m, d, a.Hour, a.Minute, 0, 0, time.UTC))
}

// firstAt returns the first instant at which the clock on the wall of the zone
// shows wall, given in UTC, or anything later.
func (c Calendar) firstAt(wall time.Time) time.Time {
	const farthest = 26 * time.Hour // more than any offset there ever was
	at := wall.Add(-farthest).In(c.zone)
	for {
		_, offset := at.Zone()
		_, change := at.ZoneBounds()
		hit := wall.Add(-time.Duration(offset) * time.Second)
		switch {
		case hit.Before(at): // a change of the clock has just skipped it
			return at.UTC()
		case change.IsZero() || hit.Before(change):
			return hit.UTC()
		}
		at = change
	}
}

// hour returns the hourly period of t. A change of the clock begins one, too.
func (c Calendar) hour(t time.Time) (start, end time.Time) {
	local := t.In(c.zone)
	past := time.Duration((local.Minute()-c.window.Anchor.Minute+60)%60)*time.Minute +
		time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
	start = t.Add(-past)
	end = start.Add(time.Hour)
	first, change := local.ZoneBounds()
	if !first.IsZero() && start.Before(first) && moves(first) {
		start = first
	}
	if !change.IsZero() && change.Before(end) && moves(change) {
		end = change
	}
	return start.UTC(), end.UTC()
}

// moves reports whether the clock really jumps at a change of the zone, which
// may be one of its name only.
func moves(change time.Time) bool {
	_, after := change.Zone()
	_, before := change.Add(-1).Zone()
	return before != after
}

// String is for messages: "day of Europe/Berlin".
func (w Window) String() string {
	zone := w.Zone
	if zone == "" {
		zone = "UTC"
	}
	return fmt.Sprintf("%s of %s", w.Unit, zone)
}
