// Package checkup is the answer that a manager gives to the question whether it could deploy: its form, and how to ask. The manager
// finds out (controllers), because it has the credentials; the command line adds what it sees of the cluster, and shows it.
//
// Nothing in it is secret: neither credentials nor user data are part of it.
package checkup

import "slices"

// State is what came of a check.
type State string

// The states. Untried is a check that nobody could make, and whose message says why.
const (
	OK      State = "ok"
	Warn    State = "warn"
	Fail    State = "fail"
	Untried State = "untried"
)

// The areas, in the order in which they are shown. The first four are the command line's to look at.
const (
	AreaCluster     = "cluster"
	AreaDefinitions = "definitions"
	AreaManager     = "manager"
	AreaClasses     = "classes and Releases"
	AreaCredentials = "credentials"
	AreaPermissions = "permissions"
	AreaPools       = "load balancers"
	AreaQuotas      = "quotas"
)

// Check is one thing that was looked at.
type Check struct {
	Area    string `json:"area"`
	Subject string `json:"subject"`
	State   State  `json:"state"`
	// Message is what was found: AWS's own words where it refused.
	Message string `json:"message"`
	// Advice is what to do, or to type; empty where there is nothing to do.
	Advice string `json:"advice,omitempty"`
}

// Checkup is all of it.
type Checkup struct {
	// Manager is the process that answered, by the name of its pod, and Build its version. Both are empty where none did.
	Manager string `json:"manager,omitempty"`
	Build   string `json:"managerBuild,omitempty"`
	// Program is the version of the command line; a manager leaves it empty.
	Program string `json:"programBuild,omitempty"`
	// Cluster is the value of the tag slipway.dev/cluster on what is this cluster's.
	Cluster string `json:"cluster,omitempty"`
	// Class is the ReleaseClass whose account was looked at, with its account and region.
	Class   string `json:"class,omitempty"`
	Account string `json:"accountID,omitempty"`
	Region  string `json:"region,omitempty"`

	Checks []Check `json:"checks"`
}

// Add notes a check.
func (c *Checkup) Add(checks ...Check) { c.Checks = append(c.Checks, checks...) }

// Count is how many checks have the state.
func (c *Checkup) Count(state State) int {
	n := 0
	for _, check := range c.Checks {
		if check.State == state {
			n++
		}
	}
	return n
}

// ReachedAWS is true where the manager's credentials are known to be good for the account. Without that nothing in AWS was looked at,
// and that nothing failed says little.
func (c *Checkup) ReachedAWS() bool {
	return slices.ContainsFunc(c.Checks, func(check Check) bool { return check.Area == AreaCredentials && check.State == OK })
}

// Default stands for the default class, where one is named: it is no name of an object.
const Default = "-"

// Path is where a manager answers, on the loopback address of its pod: GET. No class means the default one.
func Path(class string) string {
	if class == "" {
		class = Default
	}
	return "/v1/checkups/" + class
}

// Pattern is Path for a http.ServeMux.
const Pattern = "GET /v1/checkups/{class}"
