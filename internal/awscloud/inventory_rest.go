package awscloud

import (
	"time"

	"slipway.dev/slipway/internal/cloud"
)

const (
	// restAge is how old a sweep may be for Releases at rest: passes over one of them come about a minute apart, and each finds it too old.
	restAge = 50 * time.Second
	// restPages a minute are what their sweeps may cost. With the lists of impaired servers, EC2 is read less than ten times a minute for
	// them all.
	//
	//	servers         1,000    6,000    10,000    50,000
	//	pages a sweep       1        6        10        50
	//	sweep every      50 s     50 s      75 s     3 min
	restPages = 8
	// restOldest is less than statusLife: a sweep shows who is impaired by the list that the one before asked for.
	restOldest = 3 * time.Minute
)

// sweepAge is how old a sweep may be that answers the query.
func (i *inventory) sweepAge(query cloud.Query) time.Duration {
	if !query.AtRest {
		return query.MaxAge
	}
	swept, _ := i.sweeps.held(query.Cluster)
	return max(query.MaxAge, ageAtRest(len(swept)))
}

// ageAtRest is how old a sweep over so many servers may be.
func ageAtRest(servers int) time.Duration {
	pages := (servers + pageSize - 1) / pageSize
	return min(max(restAge, time.Duration(pages)*time.Minute/restPages), restOldest)
}

// differing are the servers that are not in both lists alike, as they are now, or were last; both for one that changed hands. Both lists are sorted by ID.
func differing(before, now []cloud.Server) (differ []cloud.Server) {
	for len(before) > 0 && len(now) > 0 {
		was, is := before[0], now[0]
		switch {
		case was.ID < is.ID:
			differ, before = append(differ, was), before[1:]
		case is.ID < was.ID:
			differ, now = append(differ, is), now[1:]
		default:
			if was.Release != is.Release || was.Owner != is.Owner {
				differ = append(differ, was)
			}
			if was.Server != is.Server || was.Release != is.Release || was.Owner != is.Owner {
				differ = append(differ, is)
			}
			before, now = before[1:], now[1:]
		}
	}
	return append(append(differ, before...), now...)
}
