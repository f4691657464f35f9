package localaws

import (
	"maps"
	"slices"
	"time"
)

// listing is a Describe call of the usual make: ids or pages, and filters.
type listing[T, X any] struct {
	kind    idKind
	param   string // the list of ids: "SubnetId"
	set     string // how AWS's errors name that list
	more    []string
	filters filterable[T]
	all     func(*realm) map[string]T
	show    func(r *realm, v T, now time.Time) X
	result  func(list []X, next string) any
}

func describeByID[T, X any](l listing[T, X]) operation {
	return operation{
		params: append([]string{"DryRun:bool", l.param + ".N", "Filter.N.Name", "Filter.N.Value.N", "MaxResults:int", "NextToken"}, l.more...),
		run:    func(_ *Cloud, q *call) (any, *apiError) { return l.run(q) },
	}
}

func (l listing[T, X]) run(q *call) (any, *apiError) {
	keep, err := l.filters.compile(q)
	if err != nil {
		return nil, err
	}
	if err := q.byIDOrPaged(l.param, l.set); err != nil {
		return nil, err
	}
	known := l.all(q.realm)
	ids := q.list(l.param)
	if ids == nil {
		ids = slices.Sorted(maps.Keys(known))
	} else if _, err := pick(l.kind, ids, known); err != nil {
		return nil, err
	}
	ids = distinct(ids)
	ids = slices.DeleteFunc(ids, func(id string) bool { return !keep(known[id]) })
	ids, next, err := page(q, ids, func(id string) string { return id })
	if err != nil {
		return nil, err
	}
	list := make([]X, len(ids))
	for i, id := range ids {
		list[i] = l.show(q.realm, known[id], q.at)
	}
	return l.result(list, next), nil
}
