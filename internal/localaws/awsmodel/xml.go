package awsmodel

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
)

// node is one element of an XML answer.
type node struct {
	name  string
	space string // its own xmlns
	text  string
	kids  []*node
	other bool // it has attributes beside xmlns
}

// parseXML reads a whole document: one root, no text between elements.
func parseXML(body []byte) (*node, *problem) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	top := &node{}
	open := []*node{top}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, problemf("is not well-formed XML: %s", err)
		}
		last := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			kid := newNode(t)
			last.kids = append(last.kids, kid)
			open = append(open, kid)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			last.text += string(t)
		}
	}
	if len(top.kids) != 1 {
		return nil, problemf("has %d root elements, not 1", len(top.kids))
	}
	return top.kids[0], nil
}

func newNode(t xml.StartElement) *node {
	n := &node{name: t.Name.Local}
	for _, a := range t.Attr {
		if a.Name.Space == "" && a.Name.Local == "xmlns" {
			n.space = a.Value
		} else {
			n.other = true
		}
	}
	return n
}

// xmlAnswer judges an answer of the EC2 and query protocols.
func (s *Service) xmlAnswer(a Answer, op *operation) *problem {
	root, p := parseXML(a.Body)
	if p != nil {
		return p
	}
	return s.answerElements(a, op, root).at(root.name)
}

func (s *Service) answerElements(a Answer, op *operation, root *node) *problem {
	if want := op.name + "Response"; root.name != want {
		return problemf("the root element is not %s", want)
	}
	// EC2's namespace ends with a slash on the wire and without one in the model.
	if strings.TrimSuffix(root.space, "/") != strings.TrimSuffix(s.namespace, "/") {
		return problemf("the namespace is %q, not %q", root.space, s.namespace)
	}
	root.space = ""
	if s.protocol == protocolEC2 {
		return ec2Elements(a, op, root)
	}
	return queryElements(a, op, root)
}

// ec2Elements: the request id, then the members of the output themselves.
func ec2Elements(a Answer, op *operation, root *node) *problem {
	if len(root.kids) == 0 || root.kids[0].name != "requestId" {
		return problemf("the first element is not requestId")
	}
	if p := requestID(a, root.kids[0]); p != nil {
		return p.at("requestId")
	}
	members := *root
	members.kids = root.kids[1:]
	if op.output == nil {
		return ec2Done.xmlValue(&members)
	}
	return op.output.xmlValue(&members)
}

// ec2Done is what EC2 answers where its model declares no output: whether the request succeeded (EC2 API reference, CreateTags).
var ec2Done = &shape{name: "the answer", kind: "structure", members: map[string]*member{"return": {shape: &shape{kind: "boolean"}, wire: "return"}}}

// queryElements: the members of the output in a wrapper, then the metadata. An operation without output has no wrapper in its
// model; AWS sends an empty one, or none.
func queryElements(a Answer, op *operation, root *node) *problem {
	wrapper, metadata := op.resultWrapper, "ResponseMetadata"
	if wrapper == "" {
		wrapper = op.name + "Result"
	}
	kids := root.kids
	if len(kids) == 2 || op.resultWrapper != "" {
		if len(kids) == 0 || kids[0].name != wrapper {
			return problemf("the first element is not %s", wrapper)
		}
		if p := outputOf(op).xmlValue(kids[0]); p != nil {
			return p.at(wrapper)
		}
		kids = kids[1:]
	}
	if len(kids) != 1 || kids[0].name != metadata || !kids[0].has("RequestId") {
		return problemf("%s with a RequestId is not the last element", metadata)
	}
	return requestID(a, kids[0].kids[0]).at("RequestId").at(metadata)
}

// has reports whether an element has exactly these children, in their order, and no text of its own.
func (n *node) has(names ...string) bool {
	if len(n.kids) != len(names) || strings.TrimSpace(n.text) != "" {
		return false
	}
	for i, kid := range n.kids {
		if kid.name != names[i] || kid.space != "" || kid.other {
			return false
		}
	}
	return true
}

// requestID judges that the body has the id that the header has.
func requestID(a Answer, n *node) *problem {
	if want := a.Header.Get("X-Amzn-Requestid"); len(n.kids) > 0 || n.text != want {
		return problemf("is %q, and %q in the header", n.text, want)
	}
	return nil
}

// outputOf is the shape of an operation's answer; one that declares none answers with an empty structure.
func outputOf(op *operation) *shape {
	if op.output == nil {
		return &shape{name: "the answer", kind: "structure"}
	}
	return op.output
}

// xmlError judges the envelope of an error, and what it says.
func (s *Service) xmlError(a Answer, op *operation) *problem {
	root, p := parseXML(a.Body)
	if p != nil {
		return p
	}
	if s.protocol == protocolEC2 {
		return s.ec2Error(a, op, root).at(root.name)
	}
	return s.queryError(a, op, root).at(root.name)
}

// ec2Error: <Response><Errors><Error><Code/><Message/></Error></Errors><RequestID/></Response>, without a namespace.
func (s *Service) ec2Error(a Answer, op *operation, root *node) *problem {
	if root.name != "Response" || root.space != "" || root.other || !root.has("Errors", "RequestID") {
		return problemf("is not Response with Errors and RequestID")
	}
	if p := requestID(a, root.kids[1]); p != nil {
		return p.at("RequestID")
	}
	list := root.kids[0]
	if !list.has("Error") || !list.kids[0].has("Code", "Message") {
		return problemf("is not one Error with Code and Message").at("Errors")
	}
	return s.code(a, op, list.kids[0].kids[0].text).at("Code").at("Error").at("Errors")
}

// queryError: <ErrorResponse xmlns><Error><Type/><Code/><Message/></Error><RequestId/></ErrorResponse>.
func (s *Service) queryError(a Answer, op *operation, root *node) *problem {
	if root.name != "ErrorResponse" || root.space != s.namespace || root.other || !root.has("Error", "RequestId") {
		return problemf("is not ErrorResponse in the service's namespace with Error and RequestId")
	}
	if p := requestID(a, root.kids[1]); p != nil {
		return p.at("RequestId")
	}
	e := root.kids[0]
	if !e.has("Type", "Code", "Message") {
		return problemf("has other elements than Type, Code and Message").at("Error")
	}
	want := "Sender"
	if a.Status >= http.StatusInternalServerError {
		want = "Receiver"
	}
	if e.kids[0].text != want {
		return problemf("is %q, and %s with HTTP status %d", e.kids[0].text, want, a.Status).at("Type").at("Error")
	}
	return s.code(a, op, e.kids[1].text).at("Code").at("Error")
}
