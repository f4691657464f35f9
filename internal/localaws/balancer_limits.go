package localaws

import (
	"slices"
	"strconv"
	"strings"
)

type accountLimit struct {
	Name string
	Max  string
}

type accountLimits struct {
	Limits     members[accountLimit]
	NextMarker string `xml:",omitempty"`
}

// describeLimits makes DescribeAccountLimits of either generation. What is not limited is left out: AWS limits everything.
func describeLimits(limits func(BalancerKnobs) map[string]int) func(*Cloud, *call) (any, *apiError) {
	return func(c *Cloud, q *call) (any, *apiError) {
		var all []accountLimit
		for name, most := range limits(c.knobs.Balancers) {
			if most > 0 {
				all = append(all, accountLimit{name, strconv.Itoa(most)})
			}
		}
		slices.SortFunc(all, func(a, b accountLimit) int { return strings.Compare(a.Name, b.Name) })
		all, next, err := pageByMarker(q, all, func(l accountLimit) string { return l.Name })
		if err != nil {
			return nil, err
		}
		return accountLimits{Limits: membersOf(all), NextMarker: next}, nil
	}
}

// classicLimits are those of the Classic API, all three. The figures without a knob are AWS's own, here and below, and hold nobody
// up: those of its documentation of DescribeAccountLimits.
func classicLimits(knobs BalancerKnobs) map[string]int {
	return map[string]int{"classic-load-balancers": knobs.Quotas.ClassicBalancers, "classic-listeners": 100, "classic-registered-instances": 1000}
}

// v2Limits are those of the newer API. That of registrations of one target is of the example in newer command line references of AWS
// (describe-account-limits), and of no page that says how they are counted.
func v2Limits(knobs BalancerKnobs) map[string]int {
	quotas, groupsOfFlows := knobs.Quotas, 5
	if knobs.NetworkRefusesWeights {
		groupsOfFlows = 1
	}
	return map[string]int{
		"target-groups":                                           quotas.Groups,
		"targets-per-target-group":                                quotas.TargetsPerGroup,
		"target-groups-per-application-load-balancer":             quotas.GroupsPerBalancer,
		"targets-per-application-load-balancer":                   quotas.TargetsPerApplication,
		"target-id-registrations-per-application-load-balancer":   1000,
		"listeners-per-application-load-balancer":                 quotas.ListenersPerBalancer,
		"rules-per-application-load-balancer":                     quotas.RulesPerBalancer,
		"condition-values-per-alb-rule":                           maxConditionValues,
		"condition-wildcards-per-alb-rule":                        maxWildcards,
		"target-groups-per-action-on-application-load-balancer":   maxGroups,
		"certificates-per-application-load-balancer":              25,
		"application-load-balancers":                              50,
		"targets-per-network-load-balancer":                       quotas.TargetsPerNetwork,
		"targets-per-availability-zone-per-network-load-balancer": quotas.TargetsPerNetworkZone,
		"listeners-per-network-load-balancer":                     quotas.ListenersPerBalancer,
		"target-groups-per-action-on-network-load-balancer":       groupsOfFlows,
		"certificates-per-network-load-balancer":                  25,
		"network-load-balancers":                                  50,
		"network-load-balancer-enis-per-vpc":                      1200,
	}
}
