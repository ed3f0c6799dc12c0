package sim

// event is something that is going to happen.
type event struct {
	at  int64 // ms
	n   uint64
	run func(*world)
}

// queue is a heap of events by time; those of one instant keep their order.
type queue struct {
	list []event
	n    uint64
}

func (q *queue) push(at int64, run func(*world)) {
	q.n++
	q.list = append(q.list, event{at, q.n, run})
	for i := len(q.list) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.less(i, up) {
			break
		}
		q.list[i], q.list[up] = q.list[up], q.list[i]
		i = up
	}
}

func (q *queue) pop() (event, bool) {
	if len(q.list) == 0 {
		return event{}, false
	}
	top := q.list[0]
	last := len(q.list) - 1
	q.list[0] = q.list[last]
	q.list[last] = event{}
	q.list = q.list[:last]
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < last && q.less(down, least) {
				least = down
			}
		}
		if least == i {
			return top, true
		}
		q.list[i], q.list[least] = q.list[least], q.list[i]
		i = least
	}
}

func (q *queue) less(i, j int) bool {
	a, b := &q.list[i], &q.list[j]
	return a.at < b.at || a.at == b.at && a.n < b.n
}

func (q *queue) clear() { q.list = q.list[:0] }
