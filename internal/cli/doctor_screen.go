package cli

import (
	"fmt"
	"slices"
	"strings"

	"slipway.dev/slipway/internal/checkup"
)

// checkupAreas are in the order in which they are shown.
var checkupAreas = []string{
	checkup.AreaCluster, checkup.AreaDefinitions, checkup.AreaManager, checkup.AreaClasses,
	checkup.AreaCredentials, checkup.AreaPermissions, checkup.AreaPools, checkup.AreaQuotas,
}

// doctorScreen is a checkup for people.
type doctorScreen struct {
	painter
	*checkup.Checkup
}

func (s doctorScreen) lines() []string {
	var all []string
	if s.Class != "" {
		all = append(all, fmt.Sprintf("ReleaseClass %s, account %s in %s, cluster %s, as manager %s sees it", s.Class, s.Account, s.Region, s.Cluster, s.Manager), "")
	}
	for _, area := range s.areas() {
		all = append(all, s.in(strong, area))
		all = append(all, s.area(area)...)
		all = append(all, "")
	}
	return append(all, s.end())
}

// areas are those that have checks: the known ones first, and then what a newer manager may have added.
func (s doctorScreen) areas() []string {
	var there []string
	for _, check := range s.Checks {
		if !slices.Contains(there, check.Area) {
			there = append(there, check.Area)
		}
	}
	known := slices.DeleteFunc(slices.Clone(checkupAreas), func(area string) bool { return !slices.Contains(there, area) })
	return append(known, slices.DeleteFunc(there, func(area string) bool { return slices.Contains(known, area) })...)
}

// area has a line for each check, and below what is not in order, what to do.
func (s doctorScreen) area(area string) []string {
	var rows [][]string
	var advice []string
	for _, check := range s.Checks {
		if check.Area != area {
			continue
		}
		rows = append(rows, []string{"  " + s.state(check.State), check.Subject, strings.Join(strings.Fields(check.Message), " ")})
		advice = append(advice, check.Advice)
	}
	arrow := "→ "
	if s.ascii {
		arrow = "-> "
	}
	var lines []string
	for i, line := range columns(rows) {
		lines = append(lines, line)
		if advice[i] != "" {
			lines = append(lines, "        "+arrow+advice[i])
		}
	}
	return lines
}

// state is what came of a check in four letters.
func (s doctorScreen) state(state checkup.State) string {
	switch state {
	case checkup.OK:
		return s.in(good, "ok  ")
	case checkup.Warn:
		return s.in(waiting, "warn")
	case checkup.Fail:
		return s.in(bad, "FAIL")
	}
	return s.in(faint, "-   ")
}

// end counts, and says what next.
func (s doctorScreen) end() string {
	words := []string{fmt.Sprintf("%d ok", s.Count(checkup.OK))}
	for _, more := range []struct {
		state checkup.State
		word  string
	}{{checkup.Warn, "to look at"}, {checkup.Fail, "failed"}, {checkup.Untried, "not tried"}} {
		if n := s.Count(more.state); n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, more.word))
		}
	}
	line := many(len(s.Checks), "check") + ": " + strings.Join(words, ", ") + ". "
	if s.Count(checkup.Fail) > 0 {
		return line + "Mend what FAILed, from the top, and run this again."
	}
	if !s.ReachedAWS() {
		return line + "AWS was not looked at, so nobody knows whether a deploy could be made. See why it was not tried, and run this again."
	}
	return line + "Nothing stands in the way of a deploy that could be seen. What a deploy would do: kubectl slipway plan NAME"
}
