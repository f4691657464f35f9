package rollout

// Stage is the state that a Release is in: the first of the ordered rules in state.go that matched.
type Stage string
