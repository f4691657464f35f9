package localaws

import (
	"encoding/base64"
	"hash/fnv"
	"sort"
	"strconv"
	"strings"
)

// AWS's bounds of MaxResults (SDK documentation of DescribeTags; AWS's announcement for all Describe calls).
const (
	minPage = 5
	maxPage = 1000
)

// pageSize reads MaxResults; 0 means that the call is not paged.
func (q *call) pageSize() (int, *apiError) { return q.pageSizeWithin(minPage, maxPage) }

func (q *call) pageSizeWithin(minPage, maxPage int) (int, *apiError) {
	if !q.has("MaxResults") {
		return 0, nil
	}
	size := q.int("MaxResults", 0)
	if size < minPage {
		return 0, refuse("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value greater than %d.", size, minPage)
	}
	if size > maxPage {
		return 0, refuse("InvalidParameterValue", "Value ( %d ) for parameter maxResults is invalid. Expecting a value smaller than %d.", size, maxPage)
	}
	return size, nil
}

// nextToken makes an opaque token that says where the next page begins: after the element with that key. It is for the same
// question alone: with other filters or names a page would begin in the middle. No page says how AWS refuses that; here it is as a
// token that was not given out.
func (q *call) nextToken(after string) string {
	text := q.action + " " + after
	return base64.URLEncoding.EncodeToString([]byte(text + " " + q.checksum(text)))
}

// pageParams are the parameters of all services that may differ from page to page.
var pageParams = []string{"NextToken", "MaxResults", "MaxRecords", "Marker", "PageSize", "DryRun"}

// checksum is of a text and of the question that the call asks.
func (q *call) checksum(text string) string {
	return checksum(text + " " + hashWithout(q.form, pageParams))
}

// after reads NextToken: the key of the last element of the page before, "" at the beginning.
func (q *call) after() (string, *apiError) {
	given := q.str("NextToken")
	after, ok := q.opened(given)
	if !ok {
		return "", refuse("InvalidPaginationToken", "The pagination token '%s' is not valid.", given)
	}
	return after, nil
}

// opened is the key in a token that nextToken made for the same question; no token is the beginning.
func (q *call) opened(token string) (after string, ok bool) {
	if token == "" {
		return "", true
	}
	raw, err := base64.URLEncoding.DecodeString(token)
	text, sum := string(raw), ""
	if i := strings.LastIndexByte(text, ' '); i >= 0 {
		text, sum = text[:i], text[i+1:]
	}
	action, after, _ := strings.Cut(text, " ")
	return after, err == nil && sum == q.checksum(text) && action == q.action
}

func checksum(s string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte("localaws " + s)) // a hash never fails
	return strconv.FormatUint(h.Sum64(), 36)
}

// page cuts the page that the call asks for out of a list that is sorted by key, and makes the token of the next one.
func page[T any](q *call, list []T, key func(T) string) ([]T, string, *apiError) {
	return pageWithin(q, list, key, minPage, maxPage)
}

// pageWithin is page for a call with bounds of its own.
func pageWithin[T any](q *call, list []T, key func(T) string, minPage, maxPage int) ([]T, string, *apiError) {
	size, err := q.pageSizeWithin(minPage, maxPage)
	if err != nil {
		return nil, "", err
	}
	after, err := q.after()
	if err != nil {
		return nil, "", err
	}
	if after != "" {
		list = list[sort.Search(len(list), func(i int) bool { return key(list[i]) > after }):]
	}
	if size == 0 || len(list) <= size {
		return list, "", nil
	}
	list = list[:size]
	return list, q.nextToken(key(list[size-1])), nil
}

// byIDOrPaged refuses MaxResults together with ids, naming the list as AWS does: «The parameter instancesSet cannot be
// used with the parameter maxResults» (moto issue 6282).
func (q *call) byIDOrPaged(list, set string) *apiError {
	if q.has("MaxResults") && q.has(list) {
		return refuse("InvalidParameterCombination", "The parameter %s cannot be used with the parameter maxResults", set)
	}
	return nil
}
