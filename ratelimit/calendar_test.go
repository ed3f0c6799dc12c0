package ratelimit

import (
	"errors"
	"testing"
	"time"
	_ "time/tzdata" // the zones do not depend on the machine

	"pgregory.net/rapid"
)

func calendar(t testing.TB, w Window) Calendar {
	t.Helper()
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		t.Fatal(err)
	}
	return w.Calendar(zone)
}

func TestPeriod(t *testing.T) {
	for name, c := range map[string]struct {
		window         Window
		at, start, end string
	}{
		"an hour":              {Window{Unit: Hourly}, "2026-03-01T10:59:59Z", "2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z"},
		"an hour with anchor":  {Window{Unit: Hourly, Anchor: WindowAnchor{Minute: 30}}, "2026-03-01T10:15:00Z", "2026-03-01T09:30:00Z", "2026-03-01T10:30:00Z"},
		"an hour of half":      {Window{Unit: Hourly, Zone: "Asia/Kolkata"}, "2026-03-01T10:15:00Z", "2026-03-01T09:30:00Z", "2026-03-01T10:30:00Z"},
		"the hour before back": {Window{Unit: Hourly, Zone: "Europe/Berlin"}, "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"},
		"the hour again":       {Window{Unit: Hourly, Zone: "Europe/Berlin"}, "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"},
		"half an hour again":   {Window{Unit: Hourly, Zone: "Australia/Lord_Howe"}, "2026-04-04T15:10:00Z", "2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"},
		"a day":                {Window{Unit: Daily}, "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"},
		"a day's last instant": {Window{Unit: Daily}, "2026-03-01T23:59:59.999999999Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"},
		"a day from six":       {Window{Unit: Daily, Anchor: WindowAnchor{Hour: 6}}, "2026-03-01T05:59:00Z", "2026-02-28T06:00:00Z", "2026-03-01T06:00:00Z"},
		"a day of 23 hours":    {Window{Unit: Daily, Zone: "Europe/Berlin"}, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		"a day of 25 hours":    {Window{Unit: Daily, Zone: "Europe/Berlin"}, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
		"a skipped midnight":   {Window{Unit: Daily, Zone: "America/Asuncion"}, "2024-10-06T12:00:00Z", "2024-10-06T04:00:00Z", "2024-10-07T03:00:00Z"},
		"a skipped date":       {Window{Unit: Daily, Zone: "Pacific/Apia"}, "2011-12-30T11:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		"a week":               {Window{Unit: Weekly}, "2026-03-01T12:00:00Z", "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"},
		"a week from Sunday":   {Window{Unit: Weekly, Anchor: WindowAnchor{Weekday: 7}}, "2026-03-01T12:00:00Z", "2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z"},
		"a month":              {Window{Unit: Monthly}, "2026-02-28T12:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		"a month from the 31st": {
			Window{Unit: Monthly, Anchor: WindowAnchor{Day: 31}}, "2026-02-28T12:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z",
		},
		"before the 31st":  {Window{Unit: Monthly, Anchor: WindowAnchor{Day: 31}}, "2026-03-30T12:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"},
		"over a new year":  {Window{Unit: Monthly, Anchor: WindowAnchor{Day: 15}}, "2027-01-02T00:00:00Z", "2026-12-15T00:00:00Z", "2027-01-15T00:00:00Z"},
		"a leap February":  {Window{Unit: Monthly, Anchor: WindowAnchor{Day: 30}}, "2028-02-29T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-30T00:00:00Z"},
		"a month of Tokyo": {Window{Unit: Monthly, Zone: "Asia/Tokyo"}, "2026-02-28T15:00:00Z", "2026-02-28T15:00:00Z", "2026-03-31T15:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339Nano, c.at)
			if err != nil {
				t.Fatal(err)
			}
			start, end := calendar(t, c.window).Period(at)
			if got, want := start.Format(time.RFC3339), c.start; got != want {
				t.Errorf("it starts %s, want %s", got, want)
			}
			if got, want := end.Format(time.RFC3339), c.end; got != want {
				t.Errorf("it ends %s, want %s", got, want)
			}
		})
	}
}

var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "America/Asuncion", "America/Sao_Paulo", "Asia/Kolkata",
	"Asia/Kathmandu", "Asia/Tehran", "Asia/Beirut", "Asia/Gaza", "Asia/Pyongyang", "Asia/Amman", "Africa/Cairo", "Africa/Casablanca",
	"Australia/Lord_Howe", "Australia/Sydney", "Pacific/Apia", "Pacific/Kiritimati", "Pacific/Kwajalein", "Pacific/Chatham",
	"Antarctica/Troll", "Europe/Dublin", "Europe/Volgograd", "America/Caracas", "Asia/Vladivostok",
}

func drawWindow(t *rapid.T) Window {
	w := Window{
		Unit:   rapid.SampledFrom([]CalendarUnit{Hourly, Daily, Weekly, Monthly}).Draw(t, "unit"),
		Zone:   rapid.SampledFrom(zones).Draw(t, "zone"),
		Anchor: WindowAnchor{Minute: rapid.IntRange(0, 59).Draw(t, "minute")},
	}
	if w.Unit != Hourly {
		w.Anchor.Hour = rapid.IntRange(0, 23).Draw(t, "hour")
	}
	switch w.Unit {
	case Weekly:
		w.Anchor.Weekday = rapid.IntRange(0, 7).Draw(t, "weekday")
	case Monthly:
		w.Anchor.Day = rapid.IntRange(0, 31).Draw(t, "day")
	}
	return w
}

// Each instant from 1990 to 2040 is in one period, and periods follow each
// other without a gap.
func TestPeriodsCoverTime(t *testing.T) {
	longest := map[CalendarUnit]time.Duration{
		Hourly: time.Hour, Daily: 49 * time.Hour, Weekly: 8 * 24 * time.Hour, Monthly: 35 * 24 * time.Hour,
	}
	from, to := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		w := drawWindow(t)
		zone, err := time.LoadLocation(w.Zone)
		if err != nil {
			t.Fatal(err)
		}
		c := w.Calendar(zone)
		at := time.Unix(rapid.Int64Range(from.Unix(), to.Unix()).Draw(t, "second"), rapid.Int64Range(0, 1e9-1).Draw(t, "ns"))
		start, end := c.Period(at)
		if at.Before(start) || !at.Before(end) || end.Sub(start) > longest[w.Unit] {
			t.Fatalf("%v is in %v … %v", at.UTC(), start, end)
		}
		for _, same := range []time.Time{start, end.Add(-1)} {
			if s, e := c.Period(same); !s.Equal(start) || !e.Equal(end) {
				t.Fatalf("%v is in %v … %v, %v in %v … %v", at.UTC(), start, end, same, s, e)
			}
		}
		if s, _ := c.Period(end); !s.Equal(end) {
			t.Fatalf("the period after %v … %v starts %v", start, end, s)
		}
	})
}

// A day, a week and a month begin when the wall shows the anchor, unless the
// clock was changed on that date.
func TestPeriodsBeginAtTheAnchor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWindow(t)
		zone, err := time.LoadLocation(w.Zone)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(rapid.Int64Range(631152000, 2208988800).Draw(t, "second"), 0)
		start, _ := w.Calendar(zone).Period(at)
		local := start.In(zone)
		if first, _ := local.ZoneBounds(); local.Equal(first) {
			return
		}
		if local.Minute() != w.Anchor.Minute || w.Unit != Hourly && local.Hour() != w.Anchor.Hour || local.Second() != 0 {
			t.Fatalf("%v begins at %v", w, local)
		}
	})
}

func TestValidateWindow(t *testing.T) {
	for name, c := range map[string]struct {
		window Window
		field  string
	}{
		"hour":                 {Window{Unit: Hourly, Anchor: WindowAnchor{Minute: 59}}, ""},
		"day":                  {Window{Unit: Daily, Anchor: WindowAnchor{Hour: 23, Minute: 59}}, ""},
		"week":                 {Window{Unit: Weekly, Anchor: WindowAnchor{Weekday: 7}}, ""},
		"month":                {Window{Unit: Monthly, Anchor: WindowAnchor{Day: 31}}, ""},
		"no unit":              {Window{}, "window.unit"},
		"a year":               {Window{Unit: "year"}, "window.unit"},
		"minute 60":            {Window{Unit: Hourly, Anchor: WindowAnchor{Minute: 60}}, "window.anchor.minute"},
		"hour 24":              {Window{Unit: Daily, Anchor: WindowAnchor{Hour: 24}}, "window.anchor.hour"},
		"hour of an hour":      {Window{Unit: Hourly, Anchor: WindowAnchor{Hour: 1}}, "window.anchor.hour"},
		"weekday 8":            {Window{Unit: Weekly, Anchor: WindowAnchor{Weekday: 8}}, "window.anchor.weekday"},
		"weekday of a month":   {Window{Unit: Monthly, Anchor: WindowAnchor{Weekday: 1}}, "window.anchor.weekday"},
		"day 32":               {Window{Unit: Monthly, Anchor: WindowAnchor{Day: 32}}, "window.anchor.day"},
		"day of a week":        {Window{Unit: Weekly, Anchor: WindowAnchor{Day: 1}}, "window.anchor.day"},
		"a negative anchor":    {Window{Unit: Daily, Anchor: WindowAnchor{Hour: -1}}, "window.anchor.hour"},
		"a negative minute":    {Window{Unit: Daily, Anchor: WindowAnchor{Minute: -1}}, "window.anchor.minute"},
		"a negative month day": {Window{Unit: Monthly, Anchor: WindowAnchor{Day: -1}}, "window.anchor.day"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.window.Validate()
			var fe *FieldError
			errors.As(err, &fe)
			if c.field == "" && err != nil || c.field != "" && (fe == nil || fe.Field != c.field) {
				t.Errorf("%v, want a complaint about %q", err, c.field)
			}
		})
	}
}

func BenchmarkPeriod(b *testing.B) {
	c := calendar(b, Window{Unit: Daily, Zone: "Europe/Berlin"})
	at := time.Unix(1_774_000_000, 0)
	b.ReportAllocs()
	for b.Loop() {
		c.Period(at)
	}
}
