package replay

import (
	"math"

	"github.com/openclaw/clawd/mlrefill"
)

const second = 1_000_000_000 // ns

// ForecastScore is how well the demand of a load can be foretold: root mean
// squared error over the one of the last window's mean, as a geometric mean over
// the series (all agents with enough to tell, and the total), and the share of
// seconds within the P95 bound.
type ForecastScore struct {
	Series    []SeriesScore
	RRMSE1s   float64
	RRMSE30s  float64
	Coverage  float64
	FalseFall int // windows in fallback, summed over the series
	Windows   int
}

// SeriesScore is that of one series.
type SeriesScore struct {
	Name      string
	RRMSE1s   float64
	RRMSE30s  float64
	Coverage  float64
	Fallbacks int // windows in fallback
	Windows   int
}

// minSeries is the requests that a series needs to be scored.
const minSeries = 200

// ScoreForecasts plays the demand of a load through the models, without a
// limiter. It does not depend on a policy, since demand is what is offered.
func ScoreForecasts(l *Load, m *mlrefill.Model) ForecastScore {
	series := make([]*scored, len(l.Agents)+1)
	total := &scored{name: "total"}
	for i, a := range l.Agents {
		series[i] = &scored{name: a.Name}
	}
	if len(l.Agents) == 1 {
		series[0] = total
		series = series[:1]
	} else {
		series[len(l.Agents)] = total
	}
	for i, s := range series {
		s.hot = mlrefill.NewHot(m, 0, mlrefill.Jitter(uint64(i), s.name))
	}
	now := make([]float64, len(series))
	for sec, demands := range l.Seconds {
		clear(now)
		for _, d := range demands {
			now[d.Agent] += float64(d.Requests)
		}
		if len(l.Agents) > 1 {
			now[len(l.Agents)] = float64(count(demands))
		}
		for i, s := range series {
			s.second(m, sec, now[i])
		}
	}
	return sumUp(series)
}

// scored is one series under way.
type scored struct {
	name string
	hot  mlrefill.Hot

	requests          float64
	last              float64
	model1, naive1    float64
	within, seconds   int
	mean, lastMean    float64 // of the window so far, of the last one
	forecast          float64
	inWindow, windows int
	model30, naive30  float64
	fallbacks         int
}

// warmup is how many seconds pass before anything is scored: until then there
// is no last window to be compared with.
const warmup = 2 * mlrefill.WindowSeconds

func (s *scored) second(m *mlrefill.Model, sec int, y float64) {
	at := int64(sec+1) * second
	s.hot.Advance(m, at)
	f := s.hot.Forecast()
	if s.inWindow == mlrefill.WindowSeconds || f.Window != s.forecast {
		s.window(f.Window)
	}
	if sec >= warmup {
		s.model1 += (y - f.Mean) * (y - f.Mean)
		s.naive1 += (y - s.last) * (y - s.last)
		s.seconds++
		if y <= f.Bound {
			s.within++
		}
	}
	s.requests += y
	s.last = y
	s.mean += y / mlrefill.WindowSeconds
	s.inWindow++
	s.hot.Observe(m, at, y)
}

// window scores the window that ended, if it was a whole one after another.
func (s *scored) window(next float64) {
	if s.inWindow == mlrefill.WindowSeconds {
		if s.windows > 1 {
			s.model30 += (s.mean - s.forecast) * (s.mean - s.forecast)
			s.naive30 += (s.mean - s.lastMean) * (s.mean - s.lastMean)
		}
		s.windows++
		s.lastMean = s.mean
		if s.hot.Trust().Fallback() {
			s.fallbacks++
		}
	}
	s.mean, s.inWindow, s.forecast = 0, 0, next
}

func sumUp(series []*scored) (all ForecastScore) {
	var log1, log30 float64
	n := 0
	for _, s := range series {
		if s.requests < minSeries || s.naive1 == 0 || s.naive30 == 0 || s.windows < 8 {
			continue
		}
		one := SeriesScore{
			Name: s.name, RRMSE1s: math.Sqrt(s.model1 / s.naive1), RRMSE30s: math.Sqrt(s.model30 / s.naive30),
			Coverage: float64(s.within) / float64(s.seconds), Fallbacks: s.fallbacks, Windows: s.windows,
		}
		all.Series = append(all.Series, one)
		log1 += math.Log(one.RRMSE1s)
		log30 += math.Log(one.RRMSE30s)
		all.Coverage += one.Coverage
		all.FalseFall += one.Fallbacks
		all.Windows += one.Windows
		n++
	}
	if n == 0 {
		return all
	}
	all.RRMSE1s, all.RRMSE30s = math.Exp(log1/float64(n)), math.Exp(log30/float64(n))
	all.Coverage /= float64(n)
	return all
}
