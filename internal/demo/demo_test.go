package demo

import (
	"fmt"
	"strings"
	"testing"

	"slipway.dev/slipway/internal/localaws"
)

// fleet is so many servers of a version.
func fleet(version, state, role string, n int) []localaws.InstanceInfo {
	var all []localaws.InstanceInfo
	for i := range n {
		all = append(all, localaws.InstanceInfo{ID: fmt.Sprintf("i-%s-%d", version, i), Version: version, State: state,
			Alive: state == "running", Tags: map[string]string{"slipway.dev/role": role}})
	}
	return all
}

func TestCheckEnd(t *testing.T) {
	former := fleet(v1, "terminated", "retired", servers)
	for name, test := range map[string]struct {
		left []localaws.InstanceInfo
		want string
	}{
		"version 2 alone":        {fleet(v2, "running", "stable", servers), ""},
		"nobody":                 {nil, "0 servers of version 2 run, not 3"},
		"one of the three":       {fleet(v2, "running", "stable", 1), "1 servers of version 2 run, not 3"},
		"one too many":           {fleet(v2, "running", "stable", servers+1), "4 servers of version 2 run, not 3"},
		"servers that ended":     {fleet(v2, "terminated", "stable", servers), "0 servers of version 2 run"},
		"servers without a role": {fleet(v2, "running", "candidate", servers), `has the role "candidate", not stable`},
		"version 1 too":          {append(fleet(v2, "running", "stable", servers), fleet(v1, "running", "retired", 1)...), "of version v1 is running"},
		"version 1, ending":      {append(fleet(v2, "running", "stable", servers), fleet(v1, "shutting-down", "retired", 1)...), "shutting-down"},
		"a version nobody asked": {append(fleet(v2, "running", "stable", servers), fleet("v3", "running", "stable", 1)...), "of version v3 is running"},
	} {
		err := checkEnd(append(test.left, former...))
		if got := fmt.Sprint(err); (err == nil) != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
