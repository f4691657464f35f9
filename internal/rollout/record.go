package rollout

import "time"

// LaunchResult is what became of one Launch action.
type LaunchResult struct {
	Revision string
	Token    string
	// Servers are those that EC2 launched; possibly fewer than places.
	Servers []string
	// Failure is set when nothing was launched and nothing will be with this token.
	Failure Failure
	// Unknown: the call neither succeeded nor failed for certain (time-out, throttling, an error that nobody understood).
	// The attempt stays open and is replayed with the same token.
	Unknown bool
}

// Record closes the attempts whose outcome is known. It is applied after the actions of a Decision were carried out, and
// what it returns is written at once; if that is lost, the attempt is still open and its replay gives the same answer.
func Record(memory Memory, results []LaunchResult, now time.Time) Memory {
	next := memory.clone()
	for _, result := range results {
		if result.Unknown {
			continue
		}
		revision := next.find(result.Revision)
		if revision == nil {
			continue
		}
		for i := range revision.Launches {
			attempt := &revision.Launches[i]
			if attempt.Token != result.Token || !attempt.Open {
				continue
			}
			attempt.Open = false
			attempt.Servers = append([]string(nil), result.Servers...)
			attempt.Failure = result.Failure
			attempt.At = now
		}
	}
	return next
}

// clone copies the memory deeply: Decide never changes what it was given.
func (m Memory) clone() Memory {
	next := Memory{Revisions: make([]Revision, len(m.Revisions))}
	copy(next.Revisions, m.Revisions)
	for i := range next.Revisions {
		r := &next.Revisions[i]
		r.Promotion.Cohort = append([]string(nil), r.Promotion.Cohort...)
		r.Promotion.Pools = append([]string(nil), r.Promotion.Pools...)
		r.Pools = append([]string(nil), r.Pools...)
		r.Adopted = append([]string(nil), r.Adopted...)
		r.Left = append([]Leave(nil), r.Left...)
		r.Launches = append([]Attempt(nil), r.Launches...)
		for j := range r.Launches {
			r.Launches[j].Places = append([]int(nil), r.Launches[j].Places...)
			r.Launches[j].Servers = append([]string(nil), r.Launches[j].Servers...)
			r.Launches[j].Ended = append([]string(nil), r.Launches[j].Ended...)
		}
	}
	return next
}

// find gives the revision with this name, nil where there is none.
func (m *Memory) find(name string) *Revision {
	for i := range m.Revisions {
		if m.Revisions[i].Name == name {
			return &m.Revisions[i]
		}
	}
	return nil
}
