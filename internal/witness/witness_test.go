package witness

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// instant is a request decided the moment it was sent.
func instant(at time.Duration, tokens int64, v Verdict) Answer {
	return Answer{Agent: "a", Node: "n", Tokens: tokens, Sent: at, Done: at, Verdict: v}
}

func TestIdealIsACentralBucket(t *testing.T) {
	limit := Limit{Capacity: 10, PerSecond: 1}
	answers := []Answer{
		instant(0, 8, Admitted),
		instant(0, 3, Denied),              // 2 are left
		instant(time.Second, 3, Denied),    // 3 are left: a central bucket admits it
		instant(2*time.Second, 2, Refused), // arrived nowhere
		instant(4*time.Second, 4, Unknown), // 3 are left: denied
		instant(time.Minute, 10, Admitted), // full again, never more
		instant(time.Minute, 1, Admitted),  // nothing left
	}
	if got := limit.Ideal(answers); got != 21 {
		t.Errorf("ideal %d, want 21", got)
	}
}

func TestOvershootIsMeasuredOverEveryStretch(t *testing.T) {
	limit := Limit{Capacity: 10, PerSecond: 1}
	for _, c := range []struct {
		name    string
		answers []Answer
		want    float64
	}{
		{"nothing", nil, 0},
		{"within the burst", []Answer{instant(0, 10, Admitted)}, 0},
		{"twice the burst at once", []Answer{instant(time.Hour, 10, Admitted), instant(time.Hour, 10, Admitted)}, 10},
		{"denied is not admitted", []Answer{instant(0, 10, Admitted), instant(0, 10, Denied)}, 0},
		{"refilled in between", []Answer{instant(0, 10, Admitted), instant(10*time.Second, 10, Admitted)}, 0},
		{"half refilled", []Answer{instant(0, 10, Admitted), instant(5*time.Second, 10, Admitted)}, 5},
		{"a slow answer may be from any time", []Answer{
			instant(0, 10, Admitted), {Tokens: 10, Sent: 0, Done: 20 * time.Second, Verdict: Admitted},
		}, 0},
	} {
		if got := limit.Overshoot(c.answers); !near(got, c.want) {
			t.Errorf("%s: overshoot %v, want %v", c.name, got, c.want)
		}
	}
}

func near(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 }

// TestOvershootAgainstEveryPairOfInstants compares the fast sweep with the definition.
func TestOvershootAgainstEveryPairOfInstants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := Limit{Capacity: rapid.Int64Range(1, 20).Draw(t, "capacity"), PerSecond: rapid.Float64Range(0.1, 20).Draw(t, "rate")}
		var answers []Answer
		for range rapid.IntRange(0, 25).Draw(t, "answers") {
			sent := time.Duration(rapid.IntRange(0, 5000).Draw(t, "sent")) * time.Millisecond
			took := time.Duration(rapid.IntRange(0, 300).Draw(t, "took")) * time.Millisecond
			v := Verdict(rapid.IntRange(0, 3).Draw(t, "verdict"))
			answers = append(answers, Answer{Tokens: rapid.Int64Range(1, 9).Draw(t, "tokens"), Sent: sent, Done: sent + took, Verdict: v})
		}
		want := 0.0
		for _, first := range answers {
			for _, last := range answers {
				if first.Sent > last.Done {
					continue
				}
				sum := -float64(limit.Capacity) - limit.PerSecond*(last.Done-first.Sent).Seconds()
				for _, a := range answers {
					if a.Verdict == Admitted && a.Sent >= first.Sent && a.Done <= last.Done {
						sum += float64(a.Tokens)
					}
				}
				want = max(want, sum)
			}
		}
		if got := limit.Overshoot(answers); !near(got, want) {
			t.Fatalf("overshoot %v, want %v", got, want)
		}
	})
}

func TestAnAccountTellsWhatIsMissingAndWhatIsTooMuch(t *testing.T) {
	answers := []Answer{instant(0, 5, Admitted), instant(1, 3, Unknown), instant(2, 2, Denied), instant(3, 1, Refused)}
	for _, c := range []struct{ counted, forgotten, invented int64 }{
		{5, 0, 0}, {8, 0, 0}, {4, 1, 0}, {9, 0, 1},
	} {
		a := AccountOf(answers, c.counted)
		if a.Forgotten() != c.forgotten || a.Invented() != c.invented {
			t.Errorf("counted %d: forgotten %d, invented %d, want %d and %d", c.counted, a.Forgotten(), a.Invented(), c.forgotten, c.invented)
		}
		if ok := a.Check(0, 0) == nil; ok != (c.forgotten == 0 && c.invented == 0) {
			t.Errorf("counted %d: Check says %v", c.counted, a.Check(0, 0))
		}
	}
}

func TestABookIsReadInTheOrderOfSending(t *testing.T) {
	var b Book
	b.Note(instant(2, 1, Admitted))
	b.Note(Answer{Agent: "b", Node: "m", Sent: 1, Done: 9, Verdict: Admitted})
	b.Note(instant(0, 1, Denied))
	if got := b.Answers(Of("a")); len(got) != 2 || got[0].Sent != 0 {
		t.Errorf("answers of a: %+v", got)
	}
	if got := b.Answers(AckedIn("m", 5, 6)); len(got) != 1 {
		t.Errorf("under way between 5 and 6: %+v", got)
	}
	if got := b.Answers(SentIn(1, 2)); len(got) != 1 {
		t.Errorf("sent in [1, 2): %+v", got)
	}
	if s := Sum(b.Answers()); s.Requests != 3 || s.Admitted != 1 || s.Denied != 1 || s.Errors != 0 {
		t.Errorf("sum %+v", s)
	}
}
