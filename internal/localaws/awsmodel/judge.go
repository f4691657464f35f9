package awsmodel

import (
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// The protocols that are judged, in the words of the models.
const (
	protocolEC2   = "ec2"
	protocolQuery = "query"
	protocolJSON  = "json"
)

// Answer is one encoded answer of an operation.
type Answer struct {
	Operation string
	Status    int
	Header    http.Header
	Body      []byte
	// EnvelopeOnly: of an error only the form is judged, for a test that makes up its code.
	EnvelopeOnly bool
}

// Violation is what is wrong with an answer.
type Violation struct {
	Operation string
	// Path leads to the offending element: DescribeInstancesResponse/reservationSet/item/instancesSet.
	Path    string
	Problem string
}

func (v *Violation) Error() string { return v.Operation + ": " + v.Path + ": " + v.Problem }

// Judge says what is wrong with an answer; nil if AWS's own client would read all of it.
func (s *Service) Judge(a Answer) *Violation {
	p := s.judge(a)
	if p == nil {
		return nil
	}
	return &Violation{Operation: a.Operation, Path: strings.Join(p.path, "/"), Problem: p.text}
}

func (s *Service) judge(a Answer) *problem {
	if p := s.headers(a.Header); p != nil {
		return p
	}
	op := s.operations[a.Operation]
	failed := a.Status/100 != 2
	if !failed && op == nil {
		return problemf("AWS's model has no such operation")
	}
	if !failed && a.Status != http.StatusOK {
		return problemf("the HTTP status is %d, and an answer's is 200", a.Status)
	}
	switch {
	case s.protocol == protocolJSON && failed:
		return s.jsonError(a, op)
	case s.protocol == protocolJSON:
		return jsonAnswer(a.Body, op)
	case failed:
		return s.xmlError(a, op)
	default:
		return s.xmlAnswer(a, op)
	}
}

// headers judges what every answer carries.
func (s *Service) headers(h http.Header) *problem {
	want := "text/xml"
	if s.protocol == protocolJSON {
		want = "application/x-amz-json-" + s.jsonVersion
	}
	if kind, _, err := mime.ParseMediaType(h.Get("Content-Type")); err != nil || kind != want {
		return problemf("the content type is %q, not %s", h.Get("Content-Type"), want).at("Content-Type")
	}
	if h.Get("X-Amzn-Requestid") == "" {
		return problemf("is missing").at("X-Amzn-Requestid")
	}
	return nil
}

// code judges an error's code and status by what the operation declares.
func (s *Service) code(a Answer, op *operation, code string) *problem {
	switch {
	case code == "":
		return problemf("is empty")
	case a.EnvelopeOnly || !s.declares:
		return nil
	}
	if op != nil {
		if e, ok := op.errors[code]; ok {
			return wrongStatus(code, a.Status, e.status)
		}
	}
	for _, protocol := range s.codesOf {
		if statuses, ok := commonCodes[protocol][code]; ok {
			return wrongStatus(code, a.Status, statuses...)
		}
	}
	return problemf("%s is neither an error that the operation declares nor one that all of them share", code)
}

func wrongStatus(code string, got int, want ...int) *problem {
	if slices.Contains(want, got) {
		return nil
	}
	return problemf("%s came with HTTP status %d, AWS's is %d", code, got, want[0])
}

// problem is a violation on its way out of the answer: each level puts its name in front of the path.
type problem struct {
	path []string
	text string
}

func problemf(format string, args ...any) *problem {
	return &problem{text: fmt.Sprintf(format, args...)}
}

// at puts a name in front of the path; nil stays nil.
func (p *problem) at(name string) *problem {
	if p != nil {
		p.path = append([]string{name}, p.path...)
	}
	return p
}
